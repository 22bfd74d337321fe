"""A video's finished frames as one animated picture."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from segruntime.run.pictures.animated.file import GIF_ALPHA, AnimationFile
from segruntime.run.pictures.sink import picture
from segruntime.run.source import VideoFacts
from segruntime.run.stages import Canvas, Mode
from segruntime.run.stations import Finished


class AnimationSink:
    """The frames of a video as one animated picture."""

    canvas: Canvas | None = None

    def __init__(self, target: Path, mode: Mode, facts: VideoFacts) -> None:
        """Raises OutputError, MissingExtraError: see `AnimationFile`."""
        self._mode, self._facts, self._target = mode, facts, target
        self._file = AnimationFile(target)
        self._end_s = Fraction(0)
        self._start: int | None = None
        self.notes = [GIF_ALPHA] if mode == "transparent" and target.suffix.lower() == ".gif" else []
        if facts.tracks:
            self.notes.append(f"{target.name}: has no place for sound and other tracks, they were left out")

    def write(self, finished: Finished) -> None:
        """Raises OutputError: see `AnimationFile.add`."""
        frame = finished.frame
        self._start = frame.pts if self._start is None else self._start
        start_s = (frame.pts - self._start) * frame.time_base
        self._file.add(picture(finished, self._mode), start_s)
        self._end_s = start_s + 1 / self._facts.rate

    def finish(self, _trailing_packets: Iterable[Any] = ()) -> None:
        """Raises OutputError: see `AnimationFile.finish`."""
        self._file.finish(self._end_s)
        self.notes += self._file.notes

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._file.abandon()
