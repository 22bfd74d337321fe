"""The frames of a span, encoded, for `segruntime.jobs.join`: video alone, each packet with its time in the whole video.

It is a Matroska file, which takes every codec and keeps VP9's alpha, under whatever name. That container counts in
milliseconds; here it counts in the units of the source's time base, from `TICK_ZERO` at the span's start, so that no
time is rounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from segruntime.atomic_file import Draft
from segruntime.run.planes import Planes
from segruntime.run.source import VideoFacts
from segruntime.run.stations import Finished
from segruntime.run.video.av_library import close_quietly, require_av, writing
from segruntime.run.video.encoder import VideoEncoder, VideoKind
from segruntime.run.video.span import Span

CONTAINER = "matroska"
_TICK = Fraction(1, 1000)
TICK_ZERO = 1 << 24  # above what any encoder puts a decoding time ahead of the first frame's


class SegmentSink:
    """Takes the frames of a span in their order."""

    def __init__(self, target: Path, kind: VideoKind, facts: VideoFacts, span: Span) -> None:
        self.notes: list[str] = []
        self._shift = TICK_ZERO - span.start
        self._draft = Draft(target)
        self._container = require_av().open(str(self._draft.path), "w", format=CONTAINER)
        try:
            with writing(target):
                self._encoder = VideoEncoder(self._container, kind, facts, _TICK)
                self.notes += self._encoder.notes
                self._container.start_encoding()
        except BaseException:
            self._draft.drop()
            raise

    def canvas(self, size: tuple[int, int]) -> tuple[Any, Planes]:
        """As `VideoSink.canvas`."""
        return self._encoder.canvas(size)

    def write(self, finished: Finished) -> None:
        """Encode one frame.

        Raises:
            OutputError: the disk is full, or the encoder refuses it.
        """
        with writing(self._draft.target):
            self._mux(self._encoder(finished))

    def finish(self, _trailing_packets: Iterable[Any] = ()) -> None:
        """Close the file, and put it in its place.

        Raises:
            OutputError: the disk is full.
        """
        with writing(self._draft.target):
            self._mux(self._encoder.rest())
            self._container.close()
        self._draft.keep()

    def abandon(self) -> None:
        """Leave nothing behind."""
        close_quietly(self._container)
        self._draft.drop()

    def _mux(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            packet.pts += self._shift
            packet.dts += self._shift
            packet.time_base = _TICK
            self._container.mux(packet)
