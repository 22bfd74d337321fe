"""`segrun` in a process of its own, so that it can be interrupted, or run out of disk; and what a test waits for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_ROOT = Path(__file__).parents[2]

# each frame is said, and the network holds the one at which a signal is sent until the signal has done its work:
# the first one stops the input, a second one closes the channels
HELD = """
import os, threading
from segruntime.run import stages
from segruntime.run.pipeline import Channel, Overlap
network, stop, close, free, count = stages.Network.__call__, Overlap.stop, Channel.close, threading.Event(), 0
def held(self, frame):
    global count
    count += 1
    os.write(2, f"frame {{count}}\\n".encode())
    if count == {frame}:
        free.wait({limit_s})
    return network(self, frame)
def stopped(self):
    stop(self)
    if {signals} == 1:
        free.set()
    os.write(2, b"frame stopped\\n")
def closed(self):
    close(self)
    free.set()
stages.Network.__call__, Overlap.stop, Channel.close = held, stopped, closed
"""

SMALL_DISK = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
"""

MAIN = "\nfrom segruntime.cli import main\nmain(prog_name='segrun')\n"


LIMIT_S = 120  # of a child on a machine that has much else to do


def held(frame: int, signals: int = 1) -> str:
    """The program that holds this frame until so many signals have been heard."""
    return HELD.format(frame=frame, signals=signals, limit_s=LIMIT_S)


def start(words: list[str | Path], before: str = "") -> subprocess.Popen[str]:
    """`segrun` with `words`, after the program `before`."""
    path = [str(_ROOT / "runtime"), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [sys.executable, "-c", before + MAIN, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
    )


def finish(child: subprocess.Popen[str]) -> tuple[int, str, list[str]]:
    """Exit code, standard output, and the lines of standard error that `segrun` said."""
    out, err = child.communicate(timeout=LIMIT_S)
    return child.returncode, out, [line for line in err.splitlines() if not line.startswith(("frame ", "INFO:"))]


def wait_for(child: subprocess.Popen[str], line: str) -> None:
    """Read its standard error up to `line`."""
    assert child.stderr is not None
    for found in child.stderr:
        if found.strip() == line:
            return
    raise AssertionError(f"it ended before {line!r}")


def until(holds: Callable[[], bool]) -> None:
    """Looks again and again, for as long as a busy machine may need."""
    end = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.002)
