"""What a signal does while a block runs; all three commands take theirs through here."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], object]


@contextmanager
def handled(handler: Handler, *numbers: int) -> Iterator[None]:
    """While the block runs, `handler` takes these signals; afterwards they do what they did before.

    A signal that is ignored stays so: a shell has Ctrl-C ignored for a job in the background. Off the main thread Python
    takes no signals, and nothing changes.
    """
    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, handler) for number in numbers if is_main and is_heard(number)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def is_heard(number: int) -> bool:
    """Whether anything happens when this signal comes."""
    return signal.getsignal(number) != signal.SIG_IGN
