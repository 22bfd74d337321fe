"""A picture, still or animated, or a folder of pictures with its subfolders."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from segruntime.errors import MissingExtraError, PictureError
from segruntime.picture_files import SUFFIXES, kind_of, picture_paths
from segruntime.picture_files.animated import frames_in, has_its_end
from segruntime.picture_files.decode import read_still
from segruntime.picture_files.frames import AnimationFrame, AnimationReader, named
from segruntime.picture_files.kinds import FOREIGN
from segruntime.picture_files.pixels import StillPicture
from segruntime.run.stations import Decoded, InAnimation

TIME_BASE = Fraction(1, 90_000)  # a hundredth, a millisecond and 1001/30000 s are whole numbers of it
ALPHA_LEFT_OUT = "the transparency that it has was left out; --keep-alpha keeps it"


class StillSource:
    """Iterates over pictures, and over the frames of those that move.

    Of a folder, those that cannot be read are left out, counted and named in `problems`.
    """

    facts = None
    is_live = unplugged = False

    def __init__(self, path: Path, *, keep_alpha: bool = False) -> None:
        """
        Raises:
            PictureError: there is no picture.
        """
        self._problems: list[str] = []
        self._notes: dict[str, list[str]] = {}
        self._keep_alpha = keep_alpha
        self._is_folder = path.is_dir()
        self._root = path if self._is_folder else path.parent
        self._paths = picture_paths(path) if self._is_folder else [path]
        foreign = (
            [path for path in sorted(path.rglob("*")) if path.suffix.lower() in FOREIGN] if self._is_folder else []
        )
        for one in foreign:
            self._notes.setdefault(f"{FOREIGN[one.suffix.lower()]} is not read, left out", []).append(one.name)
        if not self._paths:
            raise PictureError(f"{path}: no picture in it, expected {', '.join(sorted(SUFFIXES))}; check the folder")

    @property
    def frames(self) -> int:
        return sum(frames_in(path) if kind_of(path) == "animation" else 1 for path in self._paths)

    @property
    def broken(self) -> int:
        return len(self._problems)

    def __iter__(self) -> Iterator[Decoded]:
        for path in self._paths:
            try:
                yield from self._animation(path) if kind_of(path) == "animation" else self._still(path)
            except (PictureError, MissingExtraError) as error:
                if not self._is_folder:
                    raise
                named = str(error) if isinstance(error, PictureError) else f"{path}: {error}"
                self._problems.append(named)
        if self.broken == len(self._paths):
            raise PictureError(f"{self._root}: none of its {self.broken} pictures can be read; {self._problems[0]}")

    def _still(self, path: Path) -> Iterator[Decoded]:
        found = read_still(path)
        yield Decoded(pixels=(found.pixels,), name=self._name(path), own_alpha=self._own_alpha(path, found))

    def _animation(self, path: Path) -> Iterator[Decoded]:
        time_s, number = Fraction(0), 0
        try:
            for frame, plays in whole_frames(path):
                yield Decoded(
                    pixels=(frame.picture.pixels,),
                    pts=round(time_s / TIME_BASE),
                    time_base=TIME_BASE,
                    name=self._name(path),
                    own_alpha=self._own_alpha(path, frame.picture),
                    animation=InAnimation(number=number, duration_s=frame.duration_s, plays=plays),
                )
                time_s, number = time_s + frame.duration_s, number + 1
        except PictureError as error:
            if number == 0:
                raise
            self._notes[f"ends early ({error}); {number} frames were done"] = [path.name]

    def _own_alpha(self, path: Path, found: StillPicture) -> Any:
        left_out = [] if found.alpha is None or self._keep_alpha else [ALPHA_LEFT_OUT]
        for note in (*found.notes, *left_out):
            names = self._notes.setdefault(note, [])
            if path.name not in names:
                names.append(path.name)
        return found.alpha if self._keep_alpha else None

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def trailing_packets(self) -> list[Any]:
        return []

    def problems(self, _done: int) -> list[str]:
        """What could not be read, and what was not kept: of many pictures one line each kind."""
        notes = [f"{_first(names)}: {note}" if self._is_folder else note for note, names in self._notes.items()]
        return [*self._problems, *notes]

    def close(self) -> None:
        """Nothing is held."""


def whole_frames(path: Path) -> Generator[tuple[AnimationFrame, int], None, None]:
    """The frames of an animation, each with how often all of it is shown.

    Raises:
        PictureError: it cannot be opened, or is cut off. MissingExtraError: Pillow is not installed.
    """
    with named(path), AnimationReader.of_file(path) as reader:
        for frame in reader:
            yield frame, reader.plays
        if not has_its_end(path):
            raise PictureError("its end is missing")


def not_read(path: Path) -> PictureError:
    """For a kind of picture that people have and that is not read."""
    what = FOREIGN[path.suffix.lower()]
    return PictureError(
        f"{path}: is {what}, which is not read, expected {', '.join(sorted(SUFFIXES))}; save it as one of these first"
    )


def _first(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
