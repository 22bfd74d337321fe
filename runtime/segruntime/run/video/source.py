"""A video file or stream, frame by frame, with the packets of its other tracks."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from typing import Any

from segruntime.errors import VideoError
from segruntime.run.source import VideoFacts, ended_early
from segruntime.run.stations import Decoded
from segruntime.run.video.alpha import decode_packet, decoder_of, has_hidden_alpha
from segruntime.run.video.av_library import reason, require_av
from segruntime.run.video.continuity import FORMATS, Continuity
from segruntime.run.video.deinterlace import NOTE as DEINTERLACED
from segruntime.run.video.deinterlace import Deinterlacer
from segruntime.run.video.opening import is_cover, open_video, video_stream
from segruntime.run.video.pixels import PixelOptions, PixelReader
from segruntime.run.video.span import Span

_MOST_PIXELS = 8192 * 8192
_USUAL_RATE, _HIGHEST_RATE = 25, 1000
_LENGTH_TOLERANCE_S = 0.3  # what containers round, and encoders add to fill their last block of sound


class VideoSource:
    """Iterates over the frames of a video.

    Frames that cannot be decoded are left out and counted in `broken`. Every frame has the size of the first one.
    """

    unplugged = False

    def __init__(
        self, path: str, threads: int = 0, span: Span | None = None, pixels: PixelOptions | None = None
    ) -> None:
        """Open `path`, a file or an address that ffmpeg's libraries know; `threads` for its decoder, 0: it chooses.

        With `span` it gives only those frames, and no other tracks; `facts` are those of the whole. `pixels`: what is kept
        of them, the nearest in 8 bits where not given.

        Raises:
            VideoError: it is missing, is no video, or has no frame that can be decoded.
            MissingExtraError: PyAV is not installed.
        """
        self._av = require_av()
        self.broken = 0
        self._cut: str | None = None  # how it ended, where it ended before its end
        self._path, self._threads, self._span = path, threads, span
        self._options = pixels or PixelOptions()
        self._last_pts: int | None = None
        self._container = open_video(self._path)
        try:
            self._stream = self._stream_of(self._container)
            self._frames = self._whole_frames()
            self._first = self._first_frame()
            self._reader = self._pixel_reader()
        except BaseException:
            self._container.close()
            raise
        self.facts = self._facts(self._first[0])
        if span is not None and span.warm_up > self._first[0].pts:
            self._first = self._sought(span)

    def __iter__(self) -> Iterator[Decoded]:
        for frame, packets in chain([self._first], self._frames):
            if self._span is not None and self._span.is_past(frame.pts):
                return
            yield self._prepared(frame, packets)

    @property
    def frames(self) -> int | None:
        return self.facts.frames

    @property
    def is_live(self) -> bool:
        return self.facts.is_live

    def other_packets(self) -> Iterator[Any]:
        """The packets of all other tracks, in the place of the frames, for who has those already."""
        yield from self._first[1]
        yield from chain(*self._deinterlacer.waiting)
        yield from self._waiting
        for packet in self._read:
            if packet.stream.index != self._stream.index and _is_full(packet):
                yield packet

    def trailing_packets(self) -> list[Any]:
        return self._waiting

    def problems(self, done: int) -> list[str]:
        changes = [*self._reader.notes, *([DEINTERLACED] if self._deinterlacer.started else [])]
        return [*changes, *ended_early(self._cut, done)]

    def close(self) -> None:
        self._container.close()

    def _stream_of(self, container: Any) -> Any:
        stream = video_stream(container, self._path)
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = self._threads
        return stream

    def _pixel_reader(self) -> PixelReader:
        try:
            return PixelReader(self._first[0], self._options, has_hidden_alpha(self._stream))
        except VideoError as error:
            raise VideoError(f"{self._path}: {error}") from error

    def _whole_frames(self) -> Iterator[tuple[Any, list[Any]]]:
        self._deinterlacer = Deinterlacer()
        self._decode = decoder_of(self._stream, self._threads) if self._options.alpha else decode_packet
        return self._deinterlacer(self._decoded())

    def _decoded(self) -> Iterator[tuple[Any, list[Any]]]:
        """Frames that can be used, each with the packets of other tracks before it."""
        self._waiting: list[Any] = []
        self._read = self._packets()
        for packet in self._read:
            if packet.stream.index != self._stream.index:
                self._waiting += [packet] if _is_full(packet) else []
                continue
            for frame in self._frames_of(packet):
                before, self._waiting = self._waiting, []
                yield frame, before

    def _packets(self) -> Iterator[Any]:
        packets = self._container.demux(self._stream, *(self._others if self._span is None else ()))
        joined = Continuity() if self._container.format.name in FORMATS else None
        end_s = 0.0
        while True:
            try:
                packet = next(packets)
            except (StopIteration, self._av.error.EOFError):
                self._cut = self._shortfall(end_s)
                return
            except (self._av.FFmpegError, OSError) as error:
                self._cut = reason(error)
                return
            if packet.pts is not None:
                end_s = max(end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if joined is not None:
                joined(packet)
            yield packet

    def _shortfall(self, end_s: float) -> str | None:
        """How much of the length that the file declares is not there; None where it is, or where nobody can know."""
        streams, duration = self._container.streams, self._container.duration
        if duration is None or len(streams) > 1 + len(streams.audio):  # subtitles may be longer than all that is read
            return None
        declared_s = duration / self._av.time_base
        if end_s >= declared_s - _LENGTH_TOLERANCE_S - 1 / self._rate():
            return None
        return f"it says that it is {declared_s:.1f} s long, and holds {end_s:.1f} s"

    @property
    def _others(self) -> list[Any]:
        return [stream for stream in self._container.streams if stream.index != self._stream.index]

    def _rate(self) -> Fraction:
        given = self._stream.average_rate, self._stream.base_rate  # of DV, the first is its clock's 60000
        return next((Fraction(rate) for rate in given if rate and rate <= _HIGHEST_RATE), Fraction(_USUAL_RATE))

    def _frames_of(self, packet: Any) -> list[Any]:
        try:
            frames = self._decode(packet)
        except self._av.error.EOFError:
            return []
        except (self._av.FFmpegError, ValueError):
            self.broken += self._counts(packet.pts)
            return []
        good = [frame for frame in frames if not frame.is_corrupt and self._goes_on(frame)]
        self.broken += sum(self._counts(frame.pts) for frame in frames) - sum(self._counts(frame.pts) for frame in good)
        return good

    def _counts(self, time: int | None) -> bool:
        """Whether a frame of that time is one of those that are asked for."""
        return self._span is None or (time is not None and self._span.holds(time))

    def _goes_on(self, frame: Any) -> bool:
        """Whether its time is after that of the frame before. A raw stream has no times: its frame rate gives them."""
        if frame.pts is None:  # as the camera programs of the Raspberry Pi write it
            frame.pts = 0 if self._last_pts is None else self._last_pts + self._step
        if self._last_pts is not None and frame.pts <= self._last_pts:
            return False
        self._last_pts = frame.pts
        return True

    @property
    def _step(self) -> int:
        time_base: Fraction = self._stream.time_base
        return max(1, round(1 / (self._rate() * time_base)))

    def _first_frame(self) -> tuple[Any, list[Any]]:
        first = next(self._frames, None)
        if first is None:
            facts = [f"{self.broken} cannot be decoded"] if self.broken else []
            why = ", ".join([*facts, *([self._cut] if self._cut else [])])
            raise VideoError(
                f"{self._path}: has no frame{f' ({why})' if why else ''}, expected a video; it may be cut off, copy it again"
            )
        if first[0].width * first[0].height > _MOST_PIXELS:
            raise VideoError(
                f"{self._path}: is {first[0].width}x{first[0].height}, expected at most 8192x8192; scale it down first"
            )
        return first

    def _sought(self, span: Span) -> tuple[Any, list[Any]]:
        """The first frame of the warm-up, after a jump to before it."""
        for keyframe in (span.keyframe, None):
            if keyframe is not None:
                self._container.seek(keyframe, stream=self._stream)
            else:  # an index that leads too far: from the start, then
                self._container.close()
                self._container = open_video(self._path)
                self._stream = self._stream_of(self._container)
            self._last_pts, self._frames = None, self._whole_frames()
            first = next(self._frames, None)
            if first is not None and first[0].pts <= span.warm_up:
                break
        while first is not None and first[0].pts < span.warm_up:
            first = next(self._frames, None)
        if first is None:
            raise VideoError(f"{self._path}: ends before the part that begins at {span.start}; was it changed?")
        return first

    def _facts(self, first: Any) -> VideoFacts:
        stream, container = self._stream, self._container
        width, height = first.width, first.height
        aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
        if first.rotation % 180:
            width, height = height, width
            aspect = 1 / aspect if aspect else None
        rate = self._rate()
        duration_s = container.duration / self._av.time_base if container.duration else None
        return VideoFacts(
            width=width,
            height=height,
            time_base=stream.time_base,
            rate=rate,
            frames=stream.frames or (round(duration_s * rate) if duration_s else None),
            is_live="://" in self._path and duration_s is None,
            sample_aspect=None if not aspect or aspect == 1 else Fraction(aspect),
            tags=self._reader.tags,
            hdr=self._reader.metadata,
            metadata=dict(container.metadata),
            stream=stream,
            tracks=tuple(self._others),
            covers=tuple(packet for packet in self._first[1] if is_cover(packet.stream)),
            chapters=tuple(container.chapters()),
        )

    def _prepared(self, frame: Any, packets: list[Any]) -> Decoded:
        facts, span = self.facts, self._span
        planes, guide, own_alpha = self._reader(frame, (facts.height, facts.width))
        return Decoded(
            pixels=planes,
            guide=guide,
            own_alpha=own_alpha,
            tags=facts.tags,
            pts=frame.pts,
            time_base=facts.time_base,
            packets=tuple(packets),
            is_warm_up=span is not None and frame.pts < span.start and span.start > span.origin,
        )


def _is_full(packet: Any) -> bool:
    """Not the empty one that says that its stream is at its end."""
    return bool(packet.size) or packet.dts is not None
