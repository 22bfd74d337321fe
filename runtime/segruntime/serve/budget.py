"""How many bytes of bodies and replies are in memory, and no more than may be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from segruntime.serve.errors import RefusedError

_RETRY_S = 2


class Budget:
    """Counts what all requests hold together. Event loop only."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self.held_bytes = 0

    @contextmanager
    def share(self) -> Iterator[Share]:
        """One request's part; given back at the end of the block, however it ends."""
        share = Share(self)
        try:
            yield share
        finally:
            self.held_bytes -= share.taken_bytes

    def take(self, size_bytes: int) -> None:
        """Raises RefusedError (503): more than there is."""
        if self.held_bytes + size_bytes > self._most_bytes:
            raise RefusedError(
                503,
                f"server: pictures of {self._most_bytes} bytes are in memory, as many as may be; try again",
                retry_after_s=_RETRY_S,
            )
        self.held_bytes += size_bytes


class Share:
    """What one request holds."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.taken_bytes = 0

    def take(self, size_bytes: int) -> None:
        """Raises RefusedError (503): more than there is."""
        self._budget.take(size_bytes)
        self.taken_bytes += size_bytes
