"""Files that stand under their final names only when they are whole."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from segruntime.errors import OutputError


def write_whole(path: Path, data: bytes) -> None:
    """Write next to `path`, then rename: who reads it meanwhile sees the old content or the new.

    Raises:
        OSError: nothing can be written there; what was there still is.
    """
    unfinished = path.with_name(f".{path.name[:40]}.{os.getpid()}.unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        with unfinished.open("xb") as file:
            file.write(data)
        os.replace(unfinished, path)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


class Draft:
    """A hidden file next to `target`, to be written to, then put in its place or taken away."""

    def __init__(self, target: Path) -> None:
        """Make it.

        Raises:
            OutputError: nothing can be written in that folder.
        """
        self.target = target
        try:
            handle, name = tempfile.mkstemp(prefix=f".{target.stem[:40]}.", suffix=target.suffix, dir=target.parent)
        except OSError as error:
            raise OutputError(
                f"{target}: cannot be written ({error.strerror}); choose another folder with -o"
            ) from error
        os.close(handle)
        self.path = Path(name)

    def keep(self) -> None:
        """It is whole: put it in its place, with the rights that a new file has."""
        mask = os.umask(0)
        os.umask(mask)
        self.path.chmod(0o666 & ~mask)
        self.path.replace(self.target)

    def drop(self) -> None:
        """Take it away."""
        self.path.unlink(missing_ok=True)


def check_target(target: Path, *, overwrite: bool, is_folder: bool = False) -> None:
    """Refuse, before any work, a result that has no place.

    Raises:
        OutputError: its folder is not there, or something is there already.
    """
    if not target.parent.is_dir():
        raise OutputError(f"{target}: the folder {target.parent} is not there; make it, or choose another one with -o")
    if is_folder:
        if target.exists() and not target.is_dir():
            raise OutputError(f"{target}: is a file, expected a folder for the results; choose another name with -o")
        return
    if target.is_dir():
        raise OutputError(f"{target}: is a folder, expected the name of a file, like {target / 'out.mp4'}")
    if target.exists() and not overwrite:
        raise OutputError(f"{target}: is there already; add --overwrite to replace it, or choose another name with -o")
