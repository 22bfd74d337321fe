"""Frames at a camera's rate."""

from __future__ import annotations

import time


class Pacer:
    """A frame is due every 1 / `rate` seconds; one that is not done when the next is due is late.

    After a late one the next is taken at once, as a camera has its newest frame ready: one slow frame makes one late frame.
    """

    def __init__(self, rate: float) -> None:
        self.late = 0
        self._interval = 1 / rate
        self._due = time.perf_counter()

    def wait(self) -> None:
        """Until the next frame is due."""
        left = self._due - time.perf_counter()
        if left > 0:
            time.sleep(left)

    def done(self) -> None:
        """The frame is finished."""
        now = time.perf_counter()
        self._due += self._interval
        if now > self._due:
            self.late += 1
            self._due = now
