"""Finished frames → a video file, with the other tracks of the input."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from segruntime.atomic_file import Draft
from segruntime.errors import OutputError
from segruntime.run.planes import Planes
from segruntime.run.source import VideoFacts
from segruntime.run.stations import Finished
from segruntime.run.video.av_library import close_quietly, reason, require_av, writing
from segruntime.run.video.encoder import VideoEncoder, VideoKind
from segruntime.run.video.tracks import TrackCopy


class VideoSink:
    """One video stream, encoded, and all other tracks of the input."""

    def __init__(self, target: Path, kind: VideoKind, facts: VideoFacts) -> None:
        self._av = require_av()
        self._draft = Draft(target)
        self._length_s, self._end_s = 1 / facts.rate, Fraction(0)
        try:
            self._container = self._av.open(str(self._draft.path), "w")
            self._encoder = VideoEncoder(self._container, kind, facts)
            self._tracks = TrackCopy(self._container, facts)
            with writing(target):
                self._container.start_encoding()
        except BaseException as error:
            self._draft.drop()
            if isinstance(error, (self._av.FFmpegError, OSError)) and not isinstance(error, OutputError):
                raise OutputError(
                    f"{target}: cannot be begun ({reason(error)}); choose another ending or size"
                ) from error
            raise
        self.notes = self._tracks.notes
        self.notes[:0] = self._encoder.notes

    def canvas(self, size: tuple[int, int]) -> tuple[Any, Planes]:
        """Memory for a result of `size = (H, W)`: what owns it, and its planes (Y, U, V, and A where there is alpha)."""
        return self._encoder.canvas(size)

    def write(self, finished: Finished) -> None:
        """Encode one frame, and put what lies before it in the file before it.

        Raises:
            OutputError: the disk is full, or the encoder refuses it.
        """
        with writing(self._draft.target):
            self._tracks.write(finished.frame.packets)
            self._container.mux(self._encoder(finished))
        self._end_s = finished.frame.pts * Fraction(finished.frame.time_base) + self._length_s

    def finish(self, trailing_packets: Iterable[Any] = ()) -> None:
        """Flush the encoder, close the file, and put it in its place.

        Raises:
            OutputError: the disk is full.
        """
        with writing(self._draft.target):
            self._tracks.write(trailing_packets)
            self._container.mux(self._encoder.rest())
            self._tracks.flush(self._end_s)
            self._container.close()
        self._draft.keep()

    def abandon(self) -> None:
        """Leave nothing behind."""
        close_quietly(self._container)
        self._draft.drop()
