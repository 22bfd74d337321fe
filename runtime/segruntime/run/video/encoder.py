"""Finished frames → packets of one video stream: which codec for which file, and how it is set up."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from segruntime.errors import OutputError
from segruntime.run.planes import Planes, chroma_size
from segruntime.run.source import VideoFacts
from segruntime.run.stations import Finished
from segruntime.run.video.av_library import require_av
from segruntime.run.video.pixels import plane_views


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoKind:
    """A codec, the pixels that it takes, and its settings as ffmpeg names them.

    `even`: it takes even sides only. `convert`: what `pixels` are converted to before. `threads`: of the encoder, None:
    it chooses. `tag`: the four letters that the container has for the codec, where a player insists on them.
    """

    codec: str
    pixels: str
    options: dict[str, str]
    even: bool = True
    convert: str | None = None
    threads: int | None = None
    tag: str | None = None

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

_X265, _SVT_AV1 = "x265-params", "svtav1-params"
# its own lines on standard error are off
HEVC_10 = VideoKind(
    codec="libx265",
    pixels="yuv420p10le",
    options={"crf": "22", "preset": "fast", _X265: "log-level=none"},
    tag="hvc1",  # QuickTime and iPhones play no other
)
AV1_10 = VideoKind(codec="libsvtav1", pixels="yuv420p10le", options={"crf": "30", _SVT_AV1: "preset=8"})
PRORES_4444_10 = replace(PRORES_4444, pixels="yuva420p10le")

_X265_DELAY = 2  # of so few frames it gives decoding times that were never set; none of them is out of order
_NAMES = {"libx264": "H.264", "libx265": "HEVC", "libsvtav1": "AV1", "libvpx-vp9": "VP9", "prores_ks": "ProRes"}

# by the ending of the output: without transparency, and with it
VIDEO_KINDS: dict[str, tuple[VideoKind, VideoKind | None]] = {
    ".mp4": (H264, None),
    ".m4v": (H264, None),
    ".mov": (H264, PRORES_4444),
    ".mkv": (H264, VP9_ALPHA),
    ".webm": (VP9, VP9_ALPHA),
}


# and for 10 bits
DEEP_KINDS: dict[str, tuple[VideoKind, VideoKind | None]] = {
    ".mp4": (HEVC_10, None),
    ".mov": (HEVC_10, PRORES_4444_10),
    ".mkv": (HEVC_10, None),
    ".webm": (AV1_10, None),
}


class VideoEncoder:
    """One encoded stream in a container that is being written."""

    def __init__(self, container: Any, kind: VideoKind, facts: VideoFacts, time_base: Fraction | None = None) -> None:
        """`time_base`: of the stream in the container, where it is not that of the frames."""
        self._av = require_av()
        self._kind, self._facts = kind, facts
        step = 2 if kind.even else 1
        self._width, self._height = (max(2, -(-side // step) * step) for side in (facts.width, facts.height))
        self.notes = [*self._padding(), *self._lost_metadata()]
        self._frames = 0
        self._stream = self._video_stream(container, time_base or facts.time_base)

    def canvas(self, size: tuple[int, int]) -> tuple[Any, Planes]:
        """Memory for a result of `size = (H, W)`: what owns it, and its planes (Y, U, V, and A where there is alpha)."""
        frame = self._av.VideoFrame(self._width, self._height, self._kind.pixels)
        sizes = size, chroma_size(*size), chroma_size(*size), size
        return frame, tuple(plane[:h, :w] for plane, (h, w) in zip(plane_views(frame), sizes, strict=False))

    def __call__(self, finished: Finished) -> list[Any]:
        """The packets that are ready after one more frame."""
        packets: list[Any] = self._stream.encode(self._tagged(finished.holder, finished.frame.pts))
        self._frames += 1
        return packets

    def rest(self) -> list[Any]:
        """The packets that are still inside."""
        packets: list[Any] = self._stream.encode(None)
        if self._kind.codec == "libx265" and self._frames <= _X265_DELAY:
            for packet in packets:
                packet.dts = packet.pts
        return packets

    def _video_stream(self, container: Any, time_base: Fraction) -> Any:
        facts, kind = self._facts, self._kind
        if kind.codec == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")  # errors only: it writes its settings to standard error
        try:
            stream = container.add_stream(kind.codec, rate=facts.rate, options=self._options())
        except self._av.codec.codec.UnknownCodecError as error:
            without = "" if kind.pixels in ("yuv420p", "yuva420p") else ", or leave --hdr keep out"
            raise OutputError(
                f"this PyAV has no encoder {kind.codec} for {_NAMES[kind.codec]}; install PyAV's own build (pip install av)"
                + without
            ) from error
        context = stream.codec_context
        stream.width, stream.height = self._width, self._height
        stream.pix_fmt = kind.convert or kind.pixels
        stream.time_base, context.time_base = time_base, facts.time_base
        if facts.sample_aspect is not None:
            context.sample_aspect_ratio = facts.sample_aspect
        tags = facts.tags
        context.colorspace, context.color_range = tags.matrix, tags.range
        context.color_primaries, context.color_trc = tags.primaries, tags.transfer
        if kind.tag is not None and container.format.name != "matroska":
            context.codec_tag = kind.tag
        if kind.codec == "libvpx-vp9":
            context.thread_count = 0
        if kind.threads is not None:
            context.thread_count = kind.threads
        return stream

    def _options(self) -> dict[str, str]:
        """The kind's, and what the input says of its HDR."""
        options, metadata, threads = dict(self._kind.options), self._facts.hdr, self._kind.threads
        for name, words, of_threads in (
            (_X265, metadata.x265_words(), "pools"),
            (_SVT_AV1, metadata.svt_av1_words(), "lp"),
        ):
            if name in options:
                limit = [] if threads is None else [f"{of_threads}={threads}"]
                options[name] = ":".join([options[name], *words, *limit])
        return options

    def _lost_metadata(self) -> list[str]:
        if (
            self._facts.tags.bits == 8
            or not self._facts.hdr.x265_words()
            or {_X265, _SVT_AV1} & set(self._kind.options)
        ):
            return []
        return [
            f"what the input says of its display and its brightest light has no place in {_NAMES[self._kind.codec]}"
        ]

    def _padding(self) -> list[str]:
        width, height = self._facts.width, self._facts.height
        if (width, height) == (self._width, self._height):
            return []
        why = "even sides" if self._kind.even else "no side of one pixel"
        which = [word for word, odd in (("column", width < self._width), ("row", height < self._height)) if odd]
        return [
            f"{width}x{height} became {self._width}x{self._height}, for {_NAMES[self._kind.codec]} takes {why}: the last "
            f"{' and '.join(which)} {'is' if len(which) == 1 else 'are'} there twice"
        ]

    def _pad(self, frame: Any) -> None:
        height, width = self._facts.height, self._facts.width
        for plane in plane_views(frame):
            if plane.shape == (self._height, self._width):  # of U and V the last samples are whole
                plane[:, width:] = plane[:, width - 1 : width]
                plane[height:] = plane[height - 1 : height]

    def _tagged(self, frame: Any, pts: int) -> Any:
        tags = self._facts.tags
        if (frame.width, frame.height) != (self._facts.width, self._facts.height):
            self._pad(frame)
        frame.colorspace, frame.color_range = tags.matrix, tags.range
        if self._kind.convert:
            frame = frame.reformat(format=self._kind.convert)
            frame.color_primaries, frame.color_trc = tags.primaries, tags.transfer  # ProRes has them in each frame
        frame.pts, frame.time_base = pts, self._facts.time_base
        return frame
