"""Finished frames → packets of one video stream: which codec for which file, and how it is set up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from segruntime.run.planes import Planes
from segruntime.run.source import VideoFacts
from segruntime.run.stations import Finished
from segruntime.run.video.av_library import require_av
from segruntime.run.video.pixels import plane_views


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoKind:
    """A codec, the pixels that it takes, and its settings as ffmpeg names them; `threads`: of the encoder, None: it chooses."""

    codec: str
    pixels: str
    options: dict[str, str]
    even: bool = True
    convert: str | None = None
    threads: int | None = None

    def with_options(self, options: dict[str, str]) -> VideoKind:
        """The same with other settings where its codec has them; `threads` is known to all."""
        known = {name: value for name, value in options.items() if name in self.options}
        threads = int(options["threads"]) if "threads" in options else self.threads
        return replace(self, options=self.options | known, threads=threads)


# on a portrait clip 5 times as fast as `good` with 5, at the same crf a quarter larger and as faithful (43.9 against 43.5 dB)
_VP9 = {"deadline": "realtime", "cpu-used": "7", "row-mt": "1", "crf": "30", "b": "0"}
H264 = VideoKind(codec="libx264", pixels="yuv420p", options={"crf": "20", "preset": "medium"})
VP9 = VideoKind(codec="libvpx-vp9", pixels="yuv420p", options=_VP9, even=False)
VP9_ALPHA = VideoKind(codec="libvpx-vp9", pixels="yuva420p", options=_VP9 | {"auto-alt-ref": "0"}, even=False)
PRORES_4444 = VideoKind(
    codec="prores_ks", pixels="yuva420p", options={"profile": "4444"}, even=False, convert="yuva444p10le"
)

# by the ending of the output: without transparency, and with it
VIDEO_KINDS: dict[str, tuple[VideoKind, VideoKind | None]] = {
    ".mp4": (H264, None),
    ".m4v": (H264, None),
    ".mov": (H264, PRORES_4444),
    ".mkv": (H264, VP9_ALPHA),
    ".webm": (VP9, VP9_ALPHA),
}


class VideoEncoder:
    """One encoded stream in a container that is being written."""

    def __init__(self, container: Any, kind: VideoKind, facts: VideoFacts, time_base: Fraction | None = None) -> None:
        """`time_base`: of the stream in the container, where it is not that of the frames."""
        self._av = require_av()
        self._kind, self._facts = kind, facts
        even = ~1 if kind.even else ~0
        self._width, self._height = max(2, facts.width & even), max(2, facts.height & even)
        self._stream = self._video_stream(container, time_base or facts.time_base)

    def canvas(self, size: tuple[int, int]) -> tuple[Any, Planes]:
        """Memory for a result of `size = (H, W)`: what owns it, and its planes (Y, U, V, and A where there is alpha)."""
        height, width = size
        frame = self._av.VideoFrame(width, height, self._kind.pixels)
        return frame, plane_views(frame)

    def __call__(self, finished: Finished) -> list[Any]:
        """The packets that are ready after one more frame."""
        packets: list[Any] = self._stream.encode(self._tagged(finished.holder, finished.frame.pts))
        return packets

    def rest(self) -> list[Any]:
        """The packets that are still inside."""
        packets: list[Any] = self._stream.encode(None)
        return packets

    def _video_stream(self, container: Any, time_base: Fraction) -> Any:
        facts, kind = self._facts, self._kind
        stream = container.add_stream(kind.codec, rate=facts.rate, options=dict(kind.options))
        context = stream.codec_context
        stream.width, stream.height = self._width, self._height
        stream.pix_fmt = kind.convert or kind.pixels
        stream.time_base, context.time_base = time_base, facts.time_base
        if facts.sample_aspect is not None:
            context.sample_aspect_ratio = facts.sample_aspect
        tags = facts.tags
        context.colorspace, context.color_range = tags.matrix, tags.range
        context.color_primaries, context.color_trc = tags.primaries, tags.transfer
        if kind.codec == "libvpx-vp9":
            context.thread_count = 0
        if kind.threads is not None:
            context.thread_count = kind.threads
        return stream

    def _tagged(self, frame: Any, pts: int) -> Any:
        tags = self._facts.tags
        frame.colorspace, frame.color_range = tags.matrix, tags.range
        if self._kind.convert:
            frame = frame.reformat(format=self._kind.convert)
        frame.pts, frame.time_base = pts, self._facts.time_base
        return frame
