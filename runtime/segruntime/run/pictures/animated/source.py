"""An animated picture as if it were a video: planes, one size, times; for video files, virtual cameras and backgrounds."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

from segruntime.errors import PictureError
from segruntime.picture_files.animated import frames_in
from segruntime.picture_files.pixels import StillPicture
from segruntime.run.pictures.source import ALPHA_LEFT_OUT, TIME_BASE, whole_frames
from segruntime.run.planes import ColorTags, bgr_to_planes, settled_tags
from segruntime.run.source import VideoFacts, ended_early
from segruntime.run.stations import Decoded, InAnimation


class AnimationSource:
    """Iterates over the frames of a GIF, WebP, PNG or AVIF. What follows a broken frame is left out."""

    is_live = unplugged = False
    broken = 0

    def __init__(self, path: Path, *, keep_alpha: bool = False) -> None:
        """
        Raises:
            PictureError: not even its first frame can be read. MissingExtraError: Pillow is not installed.
        """
        self._cut: str | None = None
        self._notes: dict[str, None] = {}
        self._keep_alpha = keep_alpha
        self._frames = whole_frames(path)
        first = next(self._frames, None)
        if first is None:
            raise PictureError(f"{path}: without a picture, expected an animation; copy it again")
        self._first = first
        height, width = first[0].picture.pixels.shape[:2]
        self.facts = VideoFacts(
            width=width,
            height=height,
            time_base=TIME_BASE,
            rate=1 / first[0].duration_s,
            frames=frames_in(path),
            tags=settled_tags(ColorTags(matrix=0), height),
        )

    def __iter__(self) -> Iterator[Decoded]:
        time_s = Fraction(0)
        try:
            for number, (frame, plays) in enumerate(chain([self._first], self._frames)):
                place = InAnimation(number=number, duration_s=frame.duration_s, plays=plays)
                yield self._decoded(frame.picture, time_s, place)
                time_s += frame.duration_s
        except PictureError as error:
            self._cut = str(error)

    def _decoded(self, picture: StillPicture, time_s: Fraction, place: InAnimation) -> Decoded:
        self._notes |= dict.fromkeys(picture.notes)
        if picture.alpha is not None and not self._keep_alpha:
            self._notes[ALPHA_LEFT_OUT] = None
        return Decoded(
            pixels=bgr_to_planes(picture.pixels, self.facts.tags),
            tags=self.facts.tags,
            pts=round(time_s / TIME_BASE),
            time_base=TIME_BASE,
            own_alpha=picture.alpha if self._keep_alpha else None,
            animation=place,
        )

    @property
    def frames(self) -> int | None:
        return self.facts.frames

    def trailing_packets(self) -> list[Any]:
        return []

    def problems(self, done: int) -> list[str]:
        return [*ended_early(self._cut, done), *self._notes]

    def close(self) -> None:
        self._frames.close()
