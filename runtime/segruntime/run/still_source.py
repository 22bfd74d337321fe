"""A picture, or a folder of pictures with its subfolders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from segruntime.errors import PictureError
from segruntime.picture_files import SUFFIXES, picture_paths, read_picture
from segruntime.run.stations import Decoded


class StillSource:
    """Iterates over pictures. Of a folder, those that cannot be read are left out, counted and named in `problems`."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            PictureError: there is no picture.
        """
        self.problems: list[str] = []
        self.is_folder = path.is_dir()
        self._root = path if self.is_folder else path.parent
        self.paths = picture_paths(path) if self.is_folder else [path]
        if not self.paths:
            raise PictureError(f"{path}: no picture in it, expected {', '.join(sorted(SUFFIXES))}; check the folder")

    @property
    def broken(self) -> int:
        return len(self.problems)

    def __iter__(self) -> Iterator[Decoded]:
        for path in self.paths:
            try:
                yield Decoded(pixels=(read_picture(path),), name=path.relative_to(self._root).as_posix())
            except PictureError as error:
                if not self.is_folder:
                    raise
                self.problems.append(str(error))
        if len(self.problems) == len(self.paths):
            raise PictureError(f"{self._root}: none of its {len(self.paths)} pictures can be read; {self.problems[0]}")

    def close(self) -> None:
        """Nothing is held."""
