"""`segrun serve` in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

TIMEOUT_S = 120
SERVE = [sys.executable, "-c", "from segruntime.cli import main; main()", "serve"]


@contextmanager
def started(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process of its own, and its address."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(
        [*SERVE, "--port", "0", "--workers", "1", *words], stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"segrun: serving on (http://\S+), Ctrl-C ends", line):
                yield process, found[1]
                return
        pytest.fail("it did not start")
    finally:
        process.kill()
        process.communicate(timeout=TIMEOUT_S)


def get(address: str, body: bytes | None = None) -> bytes:
    with urllib.request.urlopen(address, body, timeout=TIMEOUT_S) as reply:  # noqa: S310 - http, our own
        return bytes(reply.read())
