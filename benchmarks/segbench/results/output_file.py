"""Files that stand whole under their name, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from segbench.errors import OutputError
from segruntime import atomic_file


def check_output(path: Path) -> None:
    """Before anything is measured: can `path` be written afterwards?

    Raises:
        OutputError: its folder is missing or closed, or something that is no file has its name.
    """
    target = _target(path)
    if target.exists() and not target.is_file():
        found = "a folder" if target.is_dir() else "no ordinary file"
        raise OutputError(path, f"{found} has that name", "choose another name")
    if not target.parent.is_dir():
        raise OutputError(path, f"{target.parent} is no folder", "make it first, or choose another place")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise OutputError(path, f"{target.parent} is closed for writing", "choose another place")


def write_whole(path: Path, data: bytes) -> None:
    """The old content or the new, see `segruntime.atomic_file`.

    Raises:
        OutputError: see `check_output`; or the disk is full.
    """
    check_output(path)
    try:
        atomic_file.write_whole(_target(path), data)
    except OSError as error:
        raise OutputError(path, error.strerror or str(error), "free some space or choose another place") from error


def _target(path: Path) -> Path:
    """Where a link leads: `/dev/stdout` and the like must not be replaced by a file."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise OutputError(path, str(error), "choose another name") from error
