"""How long something takes, whatever else the machine has to do meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """The `with` block takes less time of the processors than this, on all threads of this process together."""
    start = time.process_time()
    yield
    assert time.process_time() - start < seconds
