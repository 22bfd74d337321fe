"""`segexport setup` with converters of a few bytes: what is made, what is left alone, and that nothing half-made is found."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
from tests import messages
from tests.exporter.convert.small_converters import HERE, SMALL, entries, fails, lock, made_now, of_one_module, run
from tests.refusals import refusal
from tests.tiny_wheels import make_wheel

from segexport.convert.setup import make
from segexport.convert.setup.known import ENVIRONMENTS
from segexport.convert.setup.make import NoPythonError, choose_python, make_converter
from segexport.convert.setup.place import converters_folder, interpreter_of, is_ready, versions_of
from segexport.errors import MissingConverterError, SetupError

DRIVER = """
import shutil, sys, time
from pathlib import Path
from segexport.cli import main
from segexport.convert.setup import known, make
here = (3, sys.version_info[1])
known.__file__ = {known!r}
known.ENVIRONMENTS["direct"] = known.ConverterEnvironment(
    name="direct", oldest=here, newest=here, imports=("tiny",), shown=("tiny",)
)
{more}
sys.argv = ["segexport", "setup", "direct", "--json"]
main()
"""


def test_a_converter_is_made_from_its_lock_and_found_and_without_what_installs(wheels: Path) -> None:
    assert not is_ready("direct")
    done = run("setup", "direct", "--json")
    assert done.exit_code == 0, done.output
    (told,) = json.loads(done.stdout)
    assert (told["name"], told["state"], told["versions"]) == ("direct", "made", {"tiny": "1.0"})
    assert told["folder"] == str(converters_folder() / "direct")
    assert told["python"].startswith("{}.{}.".format(*HERE))
    assert entries() == ["direct"]
    python = interpreter_of("direct")
    words = [python, "-c", "import tiny, sys; print(sys.prefix)"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() == told["folder"]
    assert versions_of("direct") == {"tiny": "1.0"}
    (packages,) = (converters_folder() / "direct" / "lib").glob("python3*/site-packages")
    assert {one.name for one in packages.iterdir()} & {"pip", "setuptools"} == set()


def test_one_of_the_same_lock_is_left_alone(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_now()
    monkeypatch.setattr(make, "make_venv", lambda *_: pytest.fail("made again"))
    assert not made_now().new


def test_one_of_another_lock_is_refused_by_who_needs_it_and_replaced_by_setup(quick: Path, tmp_path: Path) -> None:
    made_now()
    lock(tmp_path, "2.0", make_wheel(quick, "tiny", "2.0"))
    assert refusal(MissingConverterError, interpreter_of, "direct") == (
        "converter direct was made from another lock than this segedge's: segexport setup direct"
    )
    assert made_now().new
    assert versions_of("direct") == {"tiny": "2.0"}
    assert entries() == ["direct"]


def test_one_that_is_missing_is_one_line_with_the_command(wheels: Path) -> None:
    assert (
        refusal(MissingConverterError, interpreter_of, "direct")
        == "converter direct is not installed here: segexport setup direct"
    )


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"lock": "x"}', '{"versions": 3, "size_bytes": "a"}'])
def test_a_damaged_marker_is_no_converter(wheels: Path, text: str) -> None:
    folder = converters_folder() / "direct"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "segedge.json").write_text(text)
    assert not is_ready("direct")


def test_one_whose_python_is_gone_is_missing_and_made_again(quick: Path) -> None:
    made_now()
    python = interpreter_of("direct")
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert not is_ready("direct")
    assert made_now().new


def test_a_package_that_is_gone_is_one_line_that_names_it_and_leaves_nothing(pip: Path) -> None:
    (pip / "tiny-1.0-py3-none-any.whl").unlink()
    fails(r"^the locked tiny==1\.0 is not on the index any more for Python 3\.")


def test_a_package_with_another_hash_is_one_line_that_names_it_and_leaves_nothing(pip: Path) -> None:
    make_wheel(pip, "tiny", "1.0", "changed = True\n")
    fails(r"^tiny==1\.0 is another file than the one that was locked, its hash differs")


def test_what_cannot_be_imported_is_not_kept(quick: Path, tmp_path: Path) -> None:
    lock(tmp_path, "1.0", make_wheel(quick, "tiny", "1.0", "raise ImportError('libodd.so.1: not there')\n"))
    fails(r"^converter direct was installed and cannot be imported: ImportError: libodd\.so\.1: not there$")


def test_a_disk_that_is_full_for_pip_is_one_line_and_nothing_is_left(
    wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_full_disk(_python: Path, place: Path, _held: Sequence[int] = ()) -> None:
        venv.create(place, symlinks=True)
        python = place / "bin" / "python"
        python.unlink()
        said = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
        python.write_text(f"#!/bin/sh\ntouch {place}/half\necho '{said}' >&2\nexit 1\n")
        python.chmod(0o755)

    monkeypatch.setattr(make, "make_venv", with_full_disk)
    fails(r"^no space is left on the disk, [^\n]*$")


def test_a_disk_that_is_full_for_us_is_one_line_and_nothing_is_left(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(make, "make_venv", no_space)
    fails(r"direct: No space left on device; nothing of it was left$")


def test_a_folder_that_cannot_be_made_is_one_line_with_the_way_out(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEGEDGE_CONVERTERS", str(tmp_path / "file" / "converters"))
    with pytest.raises(SetupError, match=r"Not a directory; SEGEDGE_CONVERTERS names another folder$"):
        made_now()


def test_the_second_of_two_waits_says_so_and_finds_it_made(quick: Path) -> None:
    made_now()
    place = converters_folder() / "direct"
    place.rename(place.with_name("later"))
    first = (converters_folder() / ".direct.lock").open("a")
    fcntl.flock(first, fcntl.LOCK_EX)
    said: list[str] = []

    def finish_first(text: str) -> None:
        said.append(text)
        place.with_name("later").rename(place)
        first.close()

    found = make_converter(SMALL, python=None, say=lambda _: None, note=finish_first)
    assert said == ["another `segexport setup` makes direct; waiting for it"]
    assert not found.new


def start(tmp_path: Path, more: str = "") -> subprocess.Popen[str]:
    """`segexport setup direct --json` in a process of its own."""
    script = tmp_path / "driver.py"
    script.write_text(DRIVER.format(known=str(tmp_path / "known.py"), more=more))
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=paths
    )


def test_two_at_the_same_time_make_one(wheels: Path, tmp_path: Path) -> None:
    both = [start(tmp_path) for _ in range(2)]
    said = [one.communicate(timeout=300) for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert sorted(json.loads(out)[0]["state"] for out, _ in said) == ["is there", "made"]
    assert entries() == ["direct"]


ENDLESS_PIP = """
import subprocess
def endless(place, words, *, instead, python, say, held):
    quiet = subprocess.DEVNULL
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], pass_fds=held, stdout=quiet, stderr=quiet)
    (place / "half").touch()
    print(child.pid, flush=True)
    child.wait()
make.pip_install = endless
make.make_venv = lambda python, place, held: (place / "bin").mkdir(parents=True)
"""


def test_killed_half_way_nothing_is_found_and_the_next_waits_for_its_pip_and_makes_it(
    quick: Path, tmp_path: Path
) -> None:
    killed = start(tmp_path, ENDLESS_PIP)
    assert killed.stdout is not None
    pip = int(killed.stdout.readline())
    killed.kill()
    killed.communicate()
    assert not is_ready("direct")
    assert len(entries()) == 1, "what it had begun"
    said: list[str] = []

    def end_pip(text: str) -> None:
        said.append(text)
        os.kill(pip, signal.SIGKILL)

    assert make_converter(SMALL, python=None, say=lambda _: None, note=end_pip).new
    assert len(said) == 1
    assert entries() == ["direct"]


COPIED = """
import shutil
make.make_venv = lambda python, place, held: shutil.copytree({venv!r}, place, symlinks=True)
"""


def test_interrupted_it_leaves_nothing_and_its_pip_is_dead(pip: Path, tmp_path: Path, venv_with_pip: Path) -> None:
    (pip / "tiny-1.0-py3-none-any.whl").unlink()
    os.mkfifo(pip / "tiny-1.0-py3-none-any.whl")  # pip opens it and waits for its bytes
    stopped = start(tmp_path, COPIED.format(venv=str(venv_with_pip)))
    end = time.monotonic() + 300
    while not (running := pips(tmp_path)):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    stopped.send_signal(signal.SIGTERM)
    _, said = stopped.communicate(timeout=300)
    assert stopped.returncode == 130, said
    assert said.splitlines()[-1] == messages.INTERRUPTED
    assert entries() == []
    psutil.wait_procs(running, timeout=300)
    assert pips(tmp_path) == []


def pips(folder: Path) -> list[psutil.Process]:
    """The pips that run in an environment in the folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if words[1:3] == ["-m", "pip"] and words[0].startswith(str(folder)):
            found.append(process)
    return found


def test_without_a_name_what_cannot_be_here_is_left_out_with_a_line(nowhere: None) -> None:
    done = run("setup")
    assert done.exit_code == 0, done.output
    left_out = [line for line in done.stderr.splitlines() if line.startswith("left out: ")]
    assert left_out[0].startswith("left out: converter tf needs Python 3.98 to 3.99, none was found; give one: ")
    assert left_out[1].startswith("left out: converter litert-torch has files for plan9 mips only, this is ")
    assert entries() == ["direct"]


def test_by_its_name_what_cannot_be_here_is_an_error(nowhere: None) -> None:
    assert isinstance(run("setup", "tf").exception, SetupError)
    assert isinstance(run("setup", "litert-torch").exception, SetupError)


def test_one_that_fails_does_not_keep_the_others_from_being_made(
    nowhere: None, quick: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for one in (of_one_module("tf", "odd"), of_one_module("litert-torch")):
        monkeypatch.setitem(ENVIRONMENTS, one.name, one)
        shutil.copy(tmp_path / "direct.lock", one.lock)
    done = run("setup")
    assert str(done.exception) == (
        "converter tf was installed and cannot be imported: ModuleNotFoundError: No module named 'odd'"
    )
    assert entries() == ["direct", "litert-torch"]


def test_a_python_that_does_not_fit_is_one_line(wheels: Path, tmp_path: Path) -> None:
    for says, told in (("3.7.2", "3.7.2"), ("", "none that runs")):
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\necho '{says}'\n")
        python.chmod(0o755)
        with pytest.raises(NoPythonError, match=rf"needs Python [\d.]+ to [\d.]+, {python} is {told}$"):
            choose_python(SMALL, python)


def test_what_borrows_is_made_with_the_python_that_it_borrows_from(
    quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    borrower = of_one_module("direct", oldest=(3, 0), newest=(3, 99), borrows="torch")
    assert choose_python(borrower, None) == Path(sys.executable)
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 3.5.0\n")
    python.chmod(0o755)
    said = r"takes torch from here, so it needs Python 3\.\d+ as here; \S+ is 3\.5\.0$"
    with pytest.raises(NoPythonError, match=said):
        choose_python(borrower, python)
    monkeypatch.setitem(ENVIRONMENTS, "direct", borrower)
    made_now()
    marker = converters_folder() / "direct" / "segedge.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "python": "3.5.0"}))
    with pytest.raises(MissingConverterError, match=r"^converter direct was made with Python 3\.5\.0 and takes torch"):
        interpreter_of("direct")


def test_converters_lie_in_the_virtual_environment_or_where_the_variable_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SEGEDGE_CONVERTERS", raising=False)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    assert converters_folder() == tmp_path / "venv" / "share" / "segedge" / "converters"
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert converters_folder() == tmp_path / "data" / "segedge" / "converters"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGEDGE_CONVERTERS", "mine")
    assert converters_folder() == tmp_path / "mine"


def test_inspect_tells_the_tools_and_how_each_converter_stands(nowhere: None, wheels: Path, tmp_path: Path) -> None:
    told = json.loads(run("inspect", "--tools", "--json").stdout)
    assert {one["name"]: one["state"] for one in told["converters"]} == {
        "direct": "missing",
        "tf": "cannot be here",
        "litert-torch": "cannot be here",
    }
    assert told["packages"]["onnx"]
    assert told["packages"]["litert-quantizer"]
    made_now()
    direct = json.loads(run("inspect", "--tools", "--json").stdout)["converters"][0]
    assert (direct["state"], direct["versions"], direct["why"]) == ("there", {"tiny": "1.0"}, None)
    assert direct["size_bytes"] > 0
    lock(tmp_path, "2.0", "00")
    assert json.loads(run("inspect", "--tools", "--json").stdout)["converters"][0]["state"] == "of another lock"
    assert "of another lock" in run("inspect", "--tools").stdout


@pytest.mark.parametrize("words", [(), ("a.pth", "--tools")])
def test_inspect_wants_a_checkpoint_or_the_tools(words: tuple[str, ...]) -> None:
    assert run("inspect", *words).exit_code == 2
