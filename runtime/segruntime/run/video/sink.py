"""Finished frames → a video file, with the sound of the input as it is."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segruntime.atomic_file import Draft
from segruntime.errors import OutputError
from segruntime.run.planes import Planes
from segruntime.run.source import VideoFacts
from segruntime.run.stations import Finished
from segruntime.run.video.av_library import reason, require_av
from segruntime.run.video.pixels import plane_views
from segruntime.run.video.sound import SoundCopy


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoKind:
    """A codec, the pixels that it takes, and its settings as ffmpeg names them."""

    codec: str
    pixels: str
    options: dict[str, str]
    even: bool = True
    convert: str | None = None

    def with_options(self, options: dict[str, str]) -> VideoKind:
        """The same with other settings where its codec has them."""
        known = {name: value for name, value in options.items() if name in self.options}
        return replace(self, options=self.options | known)


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


class VideoSink:
    """One video stream, encoded, and the streams of sound of the input."""

    def __init__(self, target: Path, kind: VideoKind, facts: VideoFacts) -> None:
        self._av = require_av()
        self.kind, self._facts = kind, facts
        self.notes: list[str] = []
        even = ~1 if kind.even else ~0
        self._width, self._height = max(2, facts.width & even), max(2, facts.height & even)
        self._draft = Draft(target)
        try:
            self._container = self._av.open(str(self._draft.path), "w")
            # what is no UTF-8 becomes a question mark here: PyAV 19 has no `metadata_errors` that would do it
            kept = {k: v.encode("utf-8", "replace").decode() for k, v in facts.metadata.items() if k in _KEPT_METADATA}
            self._container.metadata.update(kept)
            self._stream = self._video_stream()
            self._sound = SoundCopy(self._container, facts.sound)
            self._guarded(self._container.start_encoding)
        except BaseException as error:
            self._draft.drop()
            if isinstance(error, (self._av.FFmpegError, OSError)) and not isinstance(error, OutputError):
                raise OutputError(
                    f"{target}: cannot be begun ({reason(error)}); choose another ending or size"
                ) from error
            raise
        self.notes += self._sound.notes

    def canvas(self, size: tuple[int, int]) -> tuple[Any, Planes]:
        """Memory for a result of `size = (H, W)`: what owns it, and its planes (Y, U, V, and A where there is alpha)."""
        height, width = size
        frame = self._av.VideoFrame(width, height, self.kind.pixels)
        return frame, plane_views(frame)

    def write(self, finished: Finished) -> None:
        """Encode one frame, and put the sound before it.

        Raises:
            OutputError: the disk is full, or the encoder refuses it.
        """
        self._guarded(self._sound.write, finished.frame.sound)
        self._guarded(self._encode, self._tagged(finished.holder, finished.frame.pts))

    def finish(self, trailing_sound: Iterable[Any] = ()) -> None:
        """Flush the encoder, close the file, and put it in its place.

        Raises:
            OutputError: the disk is full.
        """
        self._guarded(self._sound.write, trailing_sound)
        self._guarded(self._encode, None)
        self._guarded(self._sound.flush)
        self._guarded(self._container.close)
        if self._sound.lost:
            self.notes.append(f"sound: {self._sound.lost} packets are broken and were left out")
        self._draft.keep()

    def abandon(self) -> None:
        """Leave nothing behind."""
        try:
            self._container.close()
        except (self._av.FFmpegError, OSError):
            pass  # it is thrown away
        finally:
            self._draft.drop()

    def _video_stream(self) -> Any:
        facts, kind = self._facts, self.kind
        stream = self._container.add_stream(kind.codec, rate=facts.rate, options=dict(kind.options))
        context = stream.codec_context
        stream.width, stream.height = self._width, self._height
        stream.pix_fmt = kind.convert or kind.pixels
        stream.time_base = context.time_base = facts.time_base
        if facts.sample_aspect is not None:
            context.sample_aspect_ratio = facts.sample_aspect
        tags = facts.tags
        context.colorspace, context.color_range = tags.matrix, tags.range
        context.color_primaries, context.color_trc = tags.primaries, tags.transfer
        if kind.codec == "libvpx-vp9":
            context.thread_count = 0
        return stream

    def _tagged(self, frame: Any, pts: int) -> Any:
        tags = self._facts.tags
        frame.colorspace, frame.color_range = tags.matrix, tags.range
        if self.kind.convert:
            frame = frame.reformat(format=self.kind.convert)
        frame.pts, frame.time_base = pts, self._facts.time_base
        return frame

    def _encode(self, frame: Any) -> None:
        self._container.mux(self._stream.encode(frame))

    def _guarded(self, call: Any, *arguments: Any) -> None:
        try:
            call(*arguments)
        except (self._av.FFmpegError, OSError) as error:
            is_full = getattr(error, "errno", None) in _NO_SPACE
            what_to_do = (
                "Free some space, or choose another disk" if is_full else "Choose another ending, like .mkv or .mp4"
            )
            raise OutputError(
                f"{self._draft.target}: writing failed ({reason(error)}); nothing is left of it. {what_to_do}"
            ) from error


_NO_SPACE = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO)
_KEPT_METADATA = (
    "title",
    "artist",
    "album",
    "comment",
    "copyright",
    "date",
    "creation_time",
    "description",
    "location",
)
