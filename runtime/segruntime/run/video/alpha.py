"""The alpha of VP8 and VP9 that WebM has beside the picture: ffmpeg's own decoders drop it, libvpx's do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from segruntime.errors import VideoError
from segruntime.run.video.av_library import require_av

_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


def has_hidden_alpha(stream: Any) -> bool:
    """Whether a stream has alpha that its usual decoder drops: what the container says of it."""
    says = {name.lower(): value for name, value in stream.metadata.items()}
    return says.get("alpha_mode") == "1" and stream.codec_context.name in _DECODERS


def decode_packet(packet: Any) -> list[Any]:
    """The frames that a packet completes, by the stream's usual decoder."""
    frames: list[Any] = packet.decode()
    return frames


def decoder_of(stream: Any, threads: int) -> Callable[[Any], list[Any]]:
    """Packet → frames, by a decoder that keeps the stream's alpha; `threads` 0: it chooses.

    Raises:
        VideoError: this PyAV has no such decoder.
    """
    if not has_hidden_alpha(stream):
        return decode_packet
    av, name = require_av(), _DECODERS[stream.codec_context.name]
    try:
        context = av.CodecContext.create(name, "r")
    except ValueError as error:
        raise VideoError(
            f"--keep-alpha: this PyAV has no {name}, which reads the transparency of {stream.codec_context.name}; "
            "leave --keep-alpha out, or install PyAV's own build (pip install av)"
        ) from error
    context.thread_count = threads

    def decode(packet: Any) -> list[Any]:
        frames: list[Any] = context.decode(packet if packet.size else None)
        return frames

    return decode
