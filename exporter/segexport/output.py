"""Where files are put: made in a folder of their own, moved to their names when all is done, gone if not; and their digests."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from segexport.errors import OutputError

_PREFIX = ".segexport-"
_BLOCK = 1 << 20


class Staging:
    """A context: `path` holds unfinished files; `publish` moves finished ones; whatever is left disappears.

    Raises:
        OutputError: the folder cannot be made or written, or a file of that name is there and `overwrite` is not set.
    """

    def __init__(self, output: Path, names: Iterable[str], *, overwrite: bool) -> None:
        self.output = output
        there = [name for name in names if os.path.lexists(output / name)]
        if there and not overwrite:
            raise OutputError(
                f"{output}: {there[0]} is already there{_more(there)}; nothing was changed. Give --overwrite or --output DIR"
            )
        folders = [name for name in there if (output / name).is_dir()]
        if folders:
            raise OutputError(
                f"{output}: {folders[0]} is a folder{_more(folders)}, expected a file or nothing; nothing was changed. "
                "Move it away or give another --output"
            )
        self._made = _missing_parents(output)
        try:
            output.mkdir(parents=True, exist_ok=True)
            _remove_stale(output)
            # absolute: the converters work in a folder of their own, and before Python 3.12 mkdtemp keeps a relative one
            self.path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=output)).absolute()
        except OSError as error:
            self._remove_made()
            raise OutputError(
                f"{output}: cannot be written ({error.strerror}); expected a folder that can be made; give another --output"
            ) from error

    def publish(self, names: Iterable[str]) -> None:
        """Move these files to their final names; each appears whole or not at all."""
        for name in names:
            os.replace(self.path / name, self.output / name)

    def __enter__(self) -> Staging:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self._remove_made()
        if isinstance(error, OSError) and not isinstance(error, OutputError) and error.errno is not None:
            raise OutputError(
                f"{self.output}: writing failed ({error.strerror or error}); nothing unfinished was left behind. "
                "Free some space or give another --output"
            ) from error

    def _remove_made(self) -> None:
        for folder in self._made:  # innermost first; the ones that hold something stay
            try:
                folder.rmdir()
            except OSError:
                return


def _missing_parents(folder: Path) -> list[Path]:
    return [p for p in (folder, *folder.parents) if not p.exists()]


def _remove_stale(output: Path) -> None:
    """What a killed run left behind: its folder carries the number of a process that is no more."""
    for folder in output.glob(f"{_PREFIX}*"):
        found = re.match(rf"{re.escape(_PREFIX)}(\d+)-", folder.name)
        if found and folder.is_dir() and not _alive(int(found.group(1))):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # a number that no process can have
        return False
    except OSError:
        return True
    return True


def _more(names: list[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def file_sha256(path: Path) -> str:
    """64 hexadecimal digits; the file is read block by block."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def files_sha256(paths: Sequence[Path]) -> str:
    """Of one file its own; of several that of their names and digests, a line each, as sha256sum writes them."""
    if len(paths) == 1:
        return file_sha256(paths[0])
    lines = [f"{file_sha256(path)}  {path.name}\n" for path in paths]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
