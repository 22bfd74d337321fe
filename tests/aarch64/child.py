"""A program in a session of its own, which ends as a whole: when its time is over, when we are interrupted, when it is done."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

TIMED_OUT = 124  # as coreutils' timeout
_GRACE_S = 10


def run_to_end(
    command: Sequence[str], log: Path, *, limit_s: float | None = None, environment: Mapping[str, str] | None = None
) -> int:
    """Both streams are appended to `log`; → its exit code, or `TIMED_OUT` where it ran longer than `limit_s`."""
    with log.open("ab") as file:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            return child.wait(limit_s)
        except subprocess.TimeoutExpired:
            return TIMED_OUT
        finally:
            _end_session(child)


def _end_session(child: subprocess.Popen[bytes]) -> None:
    """Whatever the program left running ends with it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(_GRACE_S)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
