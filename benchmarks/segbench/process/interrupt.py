"""Ctrl-C asks for an end, and what was measured until then is kept."""

from __future__ import annotations

import signal
import subprocess
from contextlib import AbstractContextManager

from segruntime.run.signals import handled


class Interrupt:
    """While it is entered, Ctrl-C sets `asked` and is passed on to `child`; a second one ends the child at once.

    Outside of the main thread and where it is ignored nothing changes: `segruntime.run.signals`.
    """

    def __init__(self) -> None:
        self.asked = False
        self.child: subprocess.Popen[bytes] | subprocess.Popen[str] | None = None

    def __enter__(self) -> Interrupt:
        self._handled: AbstractContextManager[None] = handled(self._handle, signal.SIGINT)
        self._handled.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._handled.__exit__(None, None, None)

    def _handle(self, _number: int, _frame: object) -> None:
        child = self.child
        if child is not None and child.poll() is None:
            child.send_signal(signal.SIGKILL if self.asked else signal.SIGINT)
        self.asked = True
