"""A video file or stream opened, and its first video stream found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segruntime.errors import VideoError
from segruntime.run.video.av_library import reason, require_av

_NETWORK_TIMEOUT_S = 10.0


def open_video(name: str, **options: str) -> Any:
    """The container `name`, a file or an address that ffmpeg's libraries know. `options`: its demuxer's.

    Raises:
        VideoError: it is missing, or no video. MissingExtraError: PyAV is not installed.
    """
    av = require_av()
    is_address = "://" in name
    path = Path(name)
    place = str(path.absolute()) if path.is_file() else name  # `a:b.mp4` would be taken for protocol `a`
    try:
        return av.open(place, options=options, timeout=_NETWORK_TIMEOUT_S if is_address else None, **_any_text(av))
    except (av.FFmpegError, OSError, ValueError) as error:
        what = "a stream that can be reached" if is_address else "a video file"
        raise VideoError(
            f"{name}: cannot be opened ({reason(error)}), expected {what}; check the path, or copy it again"
        ) from error


def _any_text(av: Any) -> dict[str, str]:
    """Titles that are no UTF-8 are read with their bytes as lone surrogates, as PyAV does by itself from 19 on."""
    return {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}


def video_stream(container: Any, name: str) -> Any:
    """Its first video stream that is no cover picture.

    Raises:
        VideoError: there is none, or its codec is not known.
    """
    streams = [stream for stream in container.streams.video if not is_cover(stream)]
    if not streams:
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise VideoError(f"{name}: holds {kinds}, expected a video stream; nothing to do")
    stream = streams[0]
    if stream.codec_context is None:
        raise VideoError(f"{name}: its video codec is not known to this PyAV; convert it to H.264 first")
    return stream


def is_cover(stream: Any) -> bool:
    """Whether it is one picture that stands for the whole, as of a podcast."""
    return bool(stream.disposition & stream.disposition.attached_pic)
