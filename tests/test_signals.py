"""The suite may be started in the background: its tests find signals as in the foreground all the same."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from segruntime.run.signals import handled

if sys.platform == "win32":
    pytest.skip("signals are POSIX", allow_module_level=True)

NAMES = "SIGINT", "SIGTERM", "SIGHUP"
# as `nohup make test &` begins it, and with a signal blocked besides
IN_THE_BACKGROUND = f"""
import signal, sys, pytest
for name in {NAMES}:
    signal.signal(getattr(signal, name), signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-k", "foreground", {__file__!r}]))
"""
TELL = f"""
import signal
blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
print(*[signal.getsignal(getattr(signal, name)) is signal.SIG_IGN or getattr(signal, name) in blocked for name in {NAMES}])
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


def test_a_child_has_the_signals_of_the_foreground() -> None:
    done = subprocess.run([sys.executable, "-c", TELL], capture_output=True, text=True, check=True)
    assert done.stdout == "False False False\nTrue\n"


def test_so_it_is_where_the_suite_was_started_in_the_background() -> None:
    done = subprocess.run([sys.executable, "-c", IN_THE_BACKGROUND], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


# as where a Ctrl-C arrives while a library makes a dataclass, whose methods are code in a string
INTERRUPTED_IN_A_STRING = """
import sys
def main():
    try:
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.parametrize("program", ["segexport", "segbench", "segruntime"])
def test_an_interrupt_within_code_in_a_string_ends_with_the_programs_own_code(program: str, tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*program.split("."))
    folder.mkdir(parents=True)
    for package in (folder, folder.parent):
        (package / "__init__.py").touch()
    (folder / "cli.py").write_text(INTERRUPTED_IN_A_STRING)
    spec = importlib.util.find_spec(program)
    assert spec is not None
    assert spec.origin is not None
    shutil.copy(Path(spec.origin).with_name("__main__.py"), folder)
    done = subprocess.run([sys.executable, "-m", program], env={"PYTHONPATH": str(tmp_path)}, check=False)
    assert done.returncode == 130


def test_a_handler_takes_its_signals_while_the_block_runs_and_no_longer() -> None:
    before, came = signal.getsignal(signal.SIGTERM), []
    with suppress(ValueError), handled(lambda number, _: came.append(number), signal.SIGTERM):
        signal.raise_signal(signal.SIGTERM)
        raise ValueError("the block ends early")
    assert came == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with handled(lambda *_: pytest.fail("it was heard"), signal.SIGINT):
            signal.raise_signal(signal.SIGINT)
    finally:
        assert signal.signal(signal.SIGINT, before) == signal.SIG_IGN


def test_off_the_main_thread_signals_stay_as_they_are() -> None:
    seen = []

    def work() -> None:
        with handled(lambda *_: None, signal.SIGINT):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


LOADED = """
import os, signal, time
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(0.2)
os.kill(os.getpid(), signal.SIGTERM)
whole = True
"""


@pytest.mark.parametrize("from_a_module", [False, True])
def test_a_signal_amid_an_import_waits_for_its_end(tmp_path: Path, from_a_module: bool) -> None:
    """Else the interrupt goes through compiled modules that are being loaded, and they abort the process."""
    (tmp_path / "loaded.py").write_text(LOADED)
    (tmp_path / "program.py").write_text("""
import signal, time
from segruntime.run.signals import handled
try:
    with handled(signal.default_int_handler, signal.SIGTERM):
        import loaded
        time.sleep(20)
    print("never interrupted")
except KeyboardInterrupt:
    print(loaded.whole)
""")
    start = "import program" if from_a_module else "exec(open('program.py').read())"
    done = subprocess.run(
        [sys.executable, "-c", start], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_a_block_that_outlives_the_import_in_which_it_began_takes_its_signals(tmp_path: Path) -> None:
    (tmp_path / "entering.py").write_text("""
import signal
from segruntime.run.signals import handled
block = handled(signal.default_int_handler, signal.SIGTERM)
block.__enter__()
""")
    program = (
        "import signal, entering\ntry: signal.raise_signal(signal.SIGTERM)\nexcept KeyboardInterrupt: print('taken')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "taken\n"), done.stderr
