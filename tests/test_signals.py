"""The suite may be started in the background: its tests find signals as in the foreground all the same."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
