"""Which clock times a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

_FINE_ENOUGH = 1e-6  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """`now` in seconds; `name`: `processor` or `wall`."""

    name: str
    now: Callable[[], float]


def choose_clock(threads: int) -> Clock:
    """For work on `threads` threads.

    One thread works in the caller's, whose processor time leaves out what else ran meanwhile: a long run is interrupted more
    often than a short one, so on a busy machine the parts would come to less than the whole. Several have no clock but the
    wall's, and nor has a system whose processor time is coarse.
    """
    if threads == 1 and time.get_clock_info("thread_time").resolution <= _FINE_ENOUGH:
        return Clock(name="processor", now=time.thread_time)
    return Clock(name="wall", now=time.perf_counter)
