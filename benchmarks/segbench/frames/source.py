"""The frames that are measured, one after the other, without end: one still over and over, or a video in laps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segbench.errors import ClipError
from segbench.frames.clip import Clip
from segbench.frames.drawn import DEFAULT_SIZE, Frame, drawn_frame, read_frame
from segbench.process.job import LARGEST_SIDE, SMALLEST_SIDE, Job
from segbench.readers import whole
from segruntime.compositing.composite import cover
from segruntime.picture_files import SUFFIXES
from segruntime.strict_json import Fields

Timed = tuple[Frame, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFacts:
    """The size that frames are measured at, and where they come from."""

    width: int
    height: int
    source: str

    def to_json(self) -> dict[str, int | str]:
        return {"width": self.width, "height": self.height, "source": self.source}

    @classmethod
    def from_json(cls, f: Fields) -> FrameFacts:
        return cls(width=whole(f)("width"), height=whole(f)("height"), source=f.string("source"))

    @property
    def size(self) -> str:
        """`1280x720`"""
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """`frames`: each `(H, W, 3) uint8, BGR`, all of one size, with the seconds that decoding it took, None for a still."""

    source: str
    first: Frame
    frames: Iterator[Timed]

    def facts(self) -> FrameFacts:
        height, width = self.first.shape[:2]
        return FrameFacts(width=width, height=height, source=self.source)


def open_feed(job: Job) -> Feed:
    """What `job.input` names, at the size that the job asks for.

    Raises:
        PictureError, ClipError: it cannot be used.
    """
    if job.input is None:
        return _still(drawn_frame(*(job.size or DEFAULT_SIZE)), "the drawn frame")
    path = Path(job.input)
    if path.suffix.lower() in SUFFIXES - {".gif"}:  # OpenCV plays those as a clip
        return _still(read_frame(path, job.size), job.input)
    frames = _laps(path, job.size)
    first, _ = next(frames)
    return Feed(source=job.input, first=first, frames=frames)


def _still(frame: Frame, source: str) -> Feed:
    def again() -> Iterator[Timed]:
        while True:
            yield frame, None

    return Feed(source=source, first=frame, frames=again())


def _laps(path: Path, size: tuple[int, int] | None) -> Iterator[Timed]:
    """Only the decoding is timed, not the scaling to `size`: a camera or a video of that size would need none."""
    while True:
        with Clip(path) as clip:
            frames = clip.frames()
            while True:
                start = time.perf_counter()
                frame = next(frames, None)
                seconds = time.perf_counter() - start
                if frame is None:
                    break
                _check_sides(path, frame)
                yield (frame if size is None else cover(frame, size[1], size[0])), seconds


def _check_sides(path: Path, frame: Frame) -> None:
    height, width = frame.shape[:2]
    if not all(SMALLEST_SIDE <= side <= LARGEST_SIDE for side in (height, width)):
        raise ClipError(
            f"{path}: is {width}x{height}, expected sides from {SMALLEST_SIDE} to {LARGEST_SIDE}; scale it first"
        )
