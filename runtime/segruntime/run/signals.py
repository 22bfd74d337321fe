"""What a signal does while a block runs; all three commands take theirs through here."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], object]

_IMPORT = "<frozen importlib._bootstrap>"  # whose frames are on the stack while a module is being imported
_RETRY_S = 0.05


@contextmanager
def handled(handler: Handler, *numbers: int) -> Iterator[None]:
    """While the block runs, `handler` takes these signals; afterwards they do what they did before.

    A signal that comes while the block imports a module is taken when that is done: an exception of the handler would
    go through whatever is being loaded, and compiled modules end the process for it, with nothing tidied up.
    A signal that is ignored stays so: a shell has Ctrl-C ignored for a job in the background. Off the main thread Python
    takes no signals, and nothing changes.
    """
    outside = _imports(sys._getframe())  # the program may itself be imported; that may end before the block does
    waiting: set[int] = set()

    def take(number: int, frame: FrameType | None) -> None:
        if _imports(frame) <= outside:
            handler(number, frame)
        elif number not in waiting:
            waiting.add(number)
            _thread.start_new_thread(_send_again, (number, waiting))  # takes no lock that the interrupted code may hold

    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, take) for number in numbers if is_main and is_heard(number)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def is_heard(number: int) -> bool:
    """Whether anything happens when this signal comes."""
    return signal.getsignal(number) != signal.SIG_IGN


def _imports(frame: FrameType | None) -> int:
    count = 0
    while frame is not None:
        count += frame.f_code.co_filename == _IMPORT
        frame = frame.f_back
    return count


def _send_again(number: int, waiting: set[int]) -> None:
    time.sleep(_RETRY_S)
    waiting.remove(number)
    if sys.platform == "win32":
        signal.raise_signal(number)
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, number)  # to that thread: it may wait in a system call
