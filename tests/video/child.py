"""`segrun` in a process of its own, so that it can be interrupted, or run out of disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]

# each frame is said and takes its time, so that a signal comes while others are under way; from frame 10 on, more of it
SLOW = """
import sys, time
from segruntime.run import stages
network = stages.Network.__call__
count = 0
def slow(self, frame):
    global count
    count += 1
    print("frame", count, file=sys.stderr, flush=True)
    time.sleep({early} if count < 10 else {late})
    return network(self, frame)
stages.Network.__call__ = slow
"""

SMALL_DISK = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
"""

MAIN = "\nfrom segruntime.run.cli import main\nmain(prog_name='segrun')\n"


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
    out, err = child.communicate(timeout=60)
    return child.returncode, out, [line for line in err.splitlines() if not line.startswith(("frame ", "INFO:"))]


def wait_for(child: subprocess.Popen[str], line: str) -> None:
    """Read its standard error up to `line`."""
    assert child.stderr is not None
    for found in child.stderr:
        if found.strip() == line:
            return
    raise AssertionError(f"it ended before {line!r}")
