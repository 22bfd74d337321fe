"""A picture, still or animated."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from segruntime.errors import PictureError
from segruntime.picture_files import SUFFIXES, kind_of
from segruntime.picture_files.animated import frames_in, has_its_end
from segruntime.picture_files.decode import read_still
from segruntime.picture_files.frames import AnimationFrame, AnimationReader, named
from segruntime.picture_files.kinds import FOREIGN
from segruntime.picture_files.pixels import StillPicture
from segruntime.run.stations import Decoded, InAnimation

TIME_BASE = Fraction(1, 90_000)  # a hundredth, a millisecond and 1001/30000 s are whole numbers of it
ALPHA_LEFT_OUT = "the transparency that it has was left out; --keep-alpha keeps it"


class StillSource:
    """Iterates over the one frame of a picture, or over those of one that moves."""

    facts = None
    is_live = unplugged = False
    broken = 0

    def __init__(self, path: Path, *, keep_alpha: bool = False) -> None:
        self._path, self._keep_alpha = path, keep_alpha
        self._notes: list[str] = []

    @property
    def frames(self) -> int:
        return frames_in(self._path) if kind_of(self._path) == "animation" else 1

    def __iter__(self) -> Iterator[Decoded]:
        """
        Raises:
            PictureError: it cannot be read. MissingExtraError: the library for its kind is not installed.
        """
        yield from self._animation() if kind_of(self._path) == "animation" else self._still()

    def _still(self) -> Iterator[Decoded]:
        found = read_still(self._path)
        yield Decoded(pixels=(found.pixels,), name=self._path.name, own_alpha=self._own_alpha(found))

    def _animation(self) -> Iterator[Decoded]:
        time_s, number = Fraction(0), 0
        try:
            for frame, plays in whole_frames(self._path):
                yield Decoded(
                    pixels=(frame.picture.pixels,),
                    pts=round(time_s / TIME_BASE),
                    time_base=TIME_BASE,
                    name=self._path.name,
                    own_alpha=self._own_alpha(frame.picture),
                    animation=InAnimation(number=number, duration_s=frame.duration_s, plays=plays),
                )
                time_s, number = time_s + frame.duration_s, number + 1
        except PictureError as error:
            if number == 0:
                raise
            self._notes.append(f"ends early ({error}); {number} frames were done")

    def _own_alpha(self, found: StillPicture) -> Any:
        left_out = [] if found.alpha is None or self._keep_alpha else [ALPHA_LEFT_OUT]
        self._notes += [note for note in (*found.notes, *left_out) if note not in self._notes]
        return found.alpha if self._keep_alpha else None

    def trailing_packets(self) -> list[Any]:
        return []

    def problems(self, _done: int) -> list[str]:
        """What was not kept, a line each."""
        return self._notes

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
