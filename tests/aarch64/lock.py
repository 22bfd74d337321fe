"""One run at a time in a work folder: a second one would put its wheel under the first one's feet."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from refusal import CannotRunError


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold `folder/lock`; the system lets go of it when the process ends, however it ends.

    Raises:
        CannotRunError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotRunError(
                f"{folder}: another run is using it, expected to be alone; wait, or give another --work"
            ) from error
        yield
