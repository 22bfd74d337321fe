"""A converter in a child process: what it says, how it fails, and that nobody is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from segexport.convert.child import run_child
from segexport.errors import ConversionError

SLEEPER = (
    "from segexport.convert.worker import serve\nimport time\nserve(lambda job, say: say('awake') or time.sleep(99))"
)
SERVED = """
from segexport.convert.worker import serve
def work(job, say):
{body}
serve(work)
"""


def child(folder: Path, source: str, *, limit_s: float = 120, say: Callable[[str], None] = print) -> dict[str, Any]:
    (folder / "fake_worker.py").write_text(source)
    return run_child("fake_worker", {"step": "TFLite", "value": 20}, folder, limit_s=limit_s, progress=say)


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
        "TFLite: the converter ended with code -9 and no result (it said nothing; was it out of memory?)"
    )


def test_a_converter_that_cannot_start_gives_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"ended with code 1 and no result \(SyntaxError: "):
        child(tmp_path, "this is no python")


def test_a_converter_that_is_too_slow_is_stopped(tmp_path: Path) -> None:
    """Were it not stopped, it would end by itself after 99 s with a result and no error."""
    before = psutil.Process().children()
    with pytest.raises(
        ConversionError, match=r"TFLite: no end after 1 s, stopped; give more time with --timeout SECONDS"
    ):
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
    (tmp_path / "fake_worker.py").write_text(SLEEPER)
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from pathlib import Path\nfrom segexport.convert.child import run_child\n"
            "run_child('fake_worker', {}, Path.cwd(), limit_s=90, progress=lambda text: print(text, flush=True))",
        ],
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


@pytest.mark.parametrize("module", ["tflite_worker", "quantize_worker"])
def test_a_full_disk_in_the_converter_is_one_line(exported: Any, tmp_path: Path, module: str) -> None:
    # /dev/full is a file on a disk without any space
    job = {
        "tflite_worker": {"onnx": str(exported.path("onnx")), "target": "/dev/full"},
        "quantize_worker": {
            "do": "quantize",
            "precision": "dynamic",
            "float32": str(exported.path("float32")),
            "target": "/dev/full",
            "float_layers": [],
        },
    }[module]
    with pytest.raises(ConversionError) as caught:
        run_child(
            f"segexport.convert.{module}", {"step": "TFLite", **job}, tmp_path, limit_s=120, progress=lambda text: None
        )
    assert str(caught.value) == "TFLite: OSError: [Errno 28] No space left on device"


def export_that_converts(checkpoint: Path, output: Path) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """`segexport tflite`, running, and the converters that it has started."""
    words = ["tflite", str(checkpoint), "--size", "32", "--output", str(output)]
    process = subprocess.Popen(
        [sys.executable, "-m", "segexport", *words], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    parent = psutil.Process(process.pid)
    wait_until(lambda: bool(parent.children()))
    assert list(output.glob(".segexport-*/converter"))
    return process, parent.children(recursive=True)


@pytest.mark.slow
def test_a_converter_that_is_killed_ends_the_export_in_one_line(trained: Any, tmp_path: Path) -> None:
    process, (converter,) = export_that_converts(trained.checkpoint, tmp_path / "new" / "out")
    converter.kill()
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, "")
    assert err.splitlines()[-1].startswith("segexport: TFLite: the converter ended with code -9 and no result (")
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
    assert err.rstrip().endswith("segexport: interrupted; nothing unfinished was left behind")
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    # one that was being started when the signal came ends itself, when it sees its standard input closed
    wait_until(lambda: not [p for p in converters if p.is_running() and p.status() != psutil.STATUS_ZOMBIE])
