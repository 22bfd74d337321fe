"""A picture, or a folder of pictures with its subfolders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from segruntime.errors import PictureError
from segruntime.picture_files import SUFFIXES, picture_paths, read_picture
from segruntime.run.stations import Decoded


class StillSource:
    """Iterates over pictures. Of a folder, those that cannot be read are left out, counted and named in `problems`."""

    facts = None
    is_live = unplugged = False

    def __init__(self, path: Path) -> None:
        """
        Raises:
            PictureError: there is no picture.
        """
        self._problems: list[str] = []
        self._is_folder = path.is_dir()
        self._root = path if self._is_folder else path.parent
        self._paths = picture_paths(path) if self._is_folder else [path]
        if not self._paths:
            raise PictureError(f"{path}: no picture in it, expected {', '.join(sorted(SUFFIXES))}; check the folder")

    @property
    def frames(self) -> int:
        return len(self._paths)

    @property
    def broken(self) -> int:
        return len(self._problems)

    def __iter__(self) -> Iterator[Decoded]:
        for path in self._paths:
            try:
                yield Decoded(pixels=(read_picture(path),), name=path.relative_to(self._root).as_posix())
            except PictureError as error:
                if not self._is_folder:
                    raise
                self._problems.append(str(error))
        if self.broken == self.frames:
            raise PictureError(f"{self._root}: none of its {self.frames} pictures can be read; {self._problems[0]}")

    def trailing_packets(self) -> list[Any]:
        return []

    def problems(self, _done: int) -> list[str]:
        return self._problems

    def close(self) -> None:
        """Nothing is held."""
