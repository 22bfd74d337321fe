"""Ctrl-C asks for an end, and what was measured until then is kept."""

from __future__ import annotations

import signal
import subprocess
import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupt:
    """While it is entered, Ctrl-C sets `asked` and is passed on to `child`; a second one ends the child at once.

    Outside of the main thread Python takes no signals, and nothing changes; nor where a shell had Ctrl-C ignored, as it does
    for a job in the background.
    """

    def __init__(self) -> None:
        self.asked = False
        self.child: subprocess.Popen[str] | None = None
        self._before: Any = None

    def __enter__(self) -> Interrupt:
        is_heard = signal.getsignal(signal.SIGINT) != signal.SIG_IGN
        if is_heard and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        child = self.child
        if child is not None and child.poll() is None:
            child.send_signal(signal.SIGKILL if self.asked else signal.SIGINT)
        self.asked = True
