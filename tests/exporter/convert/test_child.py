"""A converter in a child process: what it says, how it fails, what reaches it, and that nobody is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch
from tests import messages

from segexport.convert.converters import CONVERTERS, PROGRAM
from segexport.convert.setup.place import interpreter_of, is_ready
from segexport.convert.trace.onnx_export import write_program
from segexport.errors import ConversionError
from segexport.process import child as child_module
from segexport.process.child import Child
from segexport.process.environment import made_environment
from segexport.quantize import worker as quantize_worker

SLEEPER = (
    "from segexport.process.worker import serve\nimport time\nserve(lambda job, say: say('awake') or time.sleep(99))"
)
SERVED = """
from segexport.process.worker import serve
def work(job, say):
{body}
serve(work)
"""


def child(folder: Path, source: str, *, limit_s: float = 120, say: Callable[[str], None] = print) -> dict[str, Any]:
    with Child(written(folder, source), folder, limit_s=limit_s) as started:
        started.begin({"step": "TFLite", "value": 20})
        return started.result(say)


def written(folder: Path, source: str) -> Path:
    worker = folder / "fake_worker.py"
    worker.write_text(source)
    return worker


def served(body: str) -> str:
    return SERVED.format(body="\n".join(f"    {line}" for line in body.splitlines()))


def wait_until(condition: Callable[[], bool], limit_s: float = 300) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_result_and_progress_come_through_the_chatter_of_libraries(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    body = (
        "import os\nprint('{\"result\": {}}')\nos.system('echo chatter')\nsay('half')\nreturn {'got': 2 * job['value']}"
    )
    assert child(tmp_path, served(body), say=said.append) == {"got": 40}
    assert said == ["half"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("line", ["no json", "[1]", "7", '{"other": 1}', "{"])
def test_lines_that_are_no_message_are_passed_over(tmp_path: Path, line: str) -> None:
    source = f'input()\nprint({line!r})\nprint(\'{{"result": {{"n": 1}}}}\', flush=True)'
    assert child(tmp_path, source) == {"n": 1}


def test_an_error_is_one_line_with_the_step(tmp_path: Path) -> None:
    with pytest.raises(ConversionError) as caught:
        child(tmp_path, served("raise KeyError('a\\nb')"))
    assert str(caught.value) == r"TFLite: KeyError: 'a\nb'"


def test_an_error_of_many_lines_becomes_one(tmp_path: Path) -> None:
    with pytest.raises(ConversionError) as caught:
        child(tmp_path, served("raise ValueError('first\\n\\n   second ' + 'x' * 5000)"))
    assert str(caught.value).startswith("TFLite: ValueError: first second xxx")
    assert len(str(caught.value)) < 500


def test_a_killed_converter_is_one_line_and_says_what_may_be_wrong(tmp_path: Path) -> None:
    with pytest.raises(ConversionError) as caught:
        child(tmp_path, "import os\nos.kill(os.getpid(), 9)")
    assert str(caught.value) == (
        "TFLite: the converter ended with signal 9 (killed), most likely out of memory, and no result (it said nothing)"
    )


def test_a_converter_that_cannot_start_gives_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"ended with code 1 and no result \(SyntaxError: "):
        child(tmp_path, "this is no python")


def test_a_converter_that_is_too_slow_is_stopped(tmp_path: Path) -> None:
    """Were it not stopped, it would end by itself after 99 s with a result and no error."""
    before = psutil.Process().children()
    with pytest.raises(ConversionError, match=f"TFLite: no end after 1 s, {messages.MORE_TIME}"):
        child(tmp_path, SLEEPER, limit_s=1)
    assert psutil.Process().children() == before


def test_progress_does_not_prolong_the_limit(tmp_path: Path) -> None:
    body = "import time\nfor _ in range(400):\n    say('still busy')\n    time.sleep(0.05)"
    with pytest.raises(ConversionError, match="no end after 1 s"):
        child(tmp_path, served(body), limit_s=1)


def test_an_interrupt_ends_the_converter_too(tmp_path: Path) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    before = psutil.Process().children()
    with pytest.raises(KeyboardInterrupt):
        child(tmp_path, SLEEPER, say=interrupt)
    assert psutil.Process().children() == before


def test_a_converter_dies_with_its_killed_parent(tmp_path: Path) -> None:
    written(tmp_path, SLEEPER)
    program = (
        "from pathlib import Path\nfrom segexport.process.child import Child\n"
        "child = Child(Path.cwd() / 'fake_worker.py', Path.cwd(), limit_s=90)\n"
        "child.begin({})\nchild.result(lambda text: print(text, flush=True))"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "awake\n"
    (converter,) = psutil.Process(parent.pid).children()
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not converter.is_running() or converter.status() == psutil.STATUS_ZOMBIE)


def test_one_child_does_several_jobs_and_what_it_dropped_is_gone_before_the_next(tmp_path: Path) -> None:
    body = """
import gc, os, weakref
gc.disable()
class Dropped: pass
global dropped
if job["first"]:
    it = Dropped()
    it.myself = it
    dropped = weakref.ref(it)
return {"process": os.getpid(), "alive": dropped() is not None}"""
    with Child(written(tmp_path, served(body)), tmp_path, limit_s=120) as started:
        answers = []
        for first in (True, False):
            started.begin({"first": first})
            answers.append(started.result(print))
    assert [answer["alive"] for answer in answers] == [True, False]
    assert answers[0]["process"] == answers[1]["process"]


def test_each_job_has_the_whole_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(child_module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    with Child(written(tmp_path, served("return {}")), tmp_path, limit_s=120) as started:
        for _ in range(3):
            clock.now += 100
            started.begin({})
            assert started.result(print) == {}
        clock.now += 121
        with pytest.raises(ConversionError, match="no end after 120 s"):
            started.result(print)


SEEN = """
import os, shutil, sys
umask = os.umask(0)
return {
    "environment": dict(os.environ), "here": os.listdir(), "home": os.path.expanduser("~"), "umask": umask,
    "programs": [shutil.which(name) for name in ("onnxsim", "flatc", "sh", "python")], "path": sys.path,
    "modules": [name for name in ("numpy", "torch", "segruntime") if name in sys.modules], "argv": sys.argv}"""


def test_a_child_sees_what_is_made_for_it_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    playground = tmp_path / "Ordner mit Leerzeichen, ığüşöç 影"
    programs = tmp_path / "programs"
    for folder in (playground, programs):
        folder.mkdir()
    for name in ("onnxsim", "flatc"):
        (programs / name).write_text("#!/bin/sh")
        (programs / name).chmod(0o755)
    for name in os.environ:
        monkeypatch.delenv(name)
    for name in ("TF_XLA_FLAGS", "PYTHONPATH", "PYTHONSTARTUP", "ONNX_ML", "LC_ALL", "OMP_NUM_THREADS", "NO_PROXY"):
        monkeypatch.setenv(name, str(programs))
    monkeypatch.setenv("PATH", str(programs))
    worker = written(tmp_path, served(SEEN))
    with Child(worker, playground, limit_s=120) as started:
        folder = started.start()
        room = folder.parent
        started.begin({})
        seen = started.result(print)
    (tmp_path / "again").mkdir()
    again = {
        name: value.replace(str(tmp_path / "again"), str(room))
        for name, value in made_environment(tmp_path / "again").items()
    }
    assert seen["environment"] == again
    assert str(programs) not in again.values()
    assert seen["home"] == str(room / "home")
    assert (seen["here"], seen["programs"], seen["umask"]) == ([], [None] * 4, 0o077)
    assert not {str(folder), str(tmp_path), str(Path(child_module.__file__).parent), ""} & set(seen["path"])
    assert (seen["modules"], seen["argv"]) == ([], [str(worker)])
    assert list(playground.iterdir()) == []


def test_only_what_a_python_needs_to_start_passes(tmp_path: Path) -> None:
    outside = {"OPENBLAS_CORETYPE": "Haswell", "LD_LIBRARY_PATH": "/opt/python/lib", "LD_PRELOAD": "x", "HOME": "/root"}
    made = made_environment(tmp_path, outside)
    assert {name: made.get(name) for name in outside} == {
        **outside,
        "LD_PRELOAD": None,
        "HOME": str(tmp_path / "home"),
    }
    assert all(Path(made[name]).is_dir() for name in ("HOME", "TMPDIR", "PATH"))


def test_another_interpreter_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConversionError) as caught:
        Child(written(tmp_path, SLEEPER), tmp_path, limit_s=1, interpreter="/no/such/python").start()
    assert str(caught.value) == (
        "conversion: '/no/such/python' cannot be started (No such file or directory); expected a Python that has the tools"
    )


@pytest.mark.parametrize("name", CONVERTERS)
def test_a_full_disk_in_a_converter_is_one_line(exported: Any, tmp_path: Path, name: str) -> None:
    # /dev/full is a file on a disk without any space
    if not is_ready(name):
        pytest.skip(f"converter {name} is not installed here: segexport setup {name}")
    converter, source = CONVERTERS[name], tmp_path / "source"
    if converter.source == PROGRAM:
        write_program(torch.export.export(torch.nn.Conv2d(3, 1, 1).eval(), (torch.zeros(1, 3, 8, 8),)), source)
    else:
        shutil.copyfile(exported.path("onnx"), source)
    interpreter, packages = str(interpreter_of(name)), converter.borrowed
    with Child(converter.path, tmp_path, limit_s=300, packages=packages, interpreter=interpreter) as started:
        shutil.copyfile(source, started.start() / converter.source)
        started.begin({"step": "TFLite", "source": converter.source, "target": "/dev/full"})
        with pytest.raises(ConversionError) as caught:
            started.result(lambda text: None)
    assert "No space left on device" in str(caught.value)
    assert str(caught.value).startswith("TFLite: ")
    assert "\n" not in str(caught.value)


def test_a_full_disk_in_the_quantizer_is_one_line(exported: Any, tmp_path: Path) -> None:
    job = {"do": "quantize", "precision": "dynamic", "float_layers": []}
    with Child(Path(quantize_worker.__file__), tmp_path, limit_s=120) as started:
        started.begin({"step": "dynamic", "float32": str(exported.path("float32")), "target": "/dev/full", **job})
        with pytest.raises(ConversionError) as caught:
            started.result(lambda text: None)
    assert str(caught.value) == "dynamic: OSError: [Errno 28] No space left on device"


def export_that_converts(
    checkpoint: Path, output: Path, *more: str
) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """`segexport tflite`, running, and the converters that it has started."""
    words = ["tflite", str(checkpoint), "--size", "32", "--output", str(output), *more]
    process = subprocess.Popen(
        [sys.executable, "-m", "segexport", *words], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    parent = psutil.Process(process.pid)
    wait_until(lambda: bool(parent.children()))
    assert list(output.glob(".segexport-*/converter"))
    return process, parent.children(recursive=True)


@pytest.mark.slow
def test_a_converter_that_is_killed_ends_the_export_in_one_line(trained: Any, tmp_path: Path) -> None:
    process, (converter,) = export_that_converts(trained.checkpoint, tmp_path / "new" / "out", "--converter", "direct")
    converter.kill()
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, "")
    told = "segexport: TFLite float32: by direct: the converter ended with signal 9 (killed), most likely out of memory, and"
    assert err.splitlines()[-1].startswith(told)
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_export_leaves_no_file_and_no_process(trained: Any, tmp_path: Path, stop: signal.Signals) -> None:
    process, converters = export_that_converts(trained.checkpoint, tmp_path / "new" / "out")
    process.send_signal(stop)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert out == ""
    assert err.rstrip().endswith(messages.INTERRUPTED)
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    # one that was being started when the signal came ends itself, when it sees its standard input closed
    wait_until(lambda: not [p for p in converters if p.is_running() and p.status() != psutil.STATUS_ZOMBIE])
