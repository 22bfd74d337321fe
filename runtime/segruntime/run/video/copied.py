"""A track of the input that becomes one of the output packet by packet, and which containers have a place for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any, Protocol

from segruntime.run.video.av_library import close_quietly, require_av
from segruntime.run.video.opening import open_video

ISO_BASE_MEDIA = {"mp4", "ipod", "mov"}
"""ffmpeg's names of the containers that are one: with edit lists, and with places of their own for what is said of a file."""

_OTHERS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov"}  # as ffmpeg names what the endings are
_SHOWN, _MOST_SHOWN = 4, 60
_PLAYED = {"aac", "alac", "ac3", "eac3", "flac", "mp3", "opus"}
_PLAYED_IN = {"mp4": _PLAYED, "ipod": _PLAYED}
"""Sound that browsers and QuickTime play there; ffmpeg's muxer takes more, such as PCM, which most players then refuse."""


class Track(Protocol):
    """What becomes of one track: packet of the input in, packets of the output out, and what is left at the end."""

    output: Any

    def __call__(self, packet: Any, /) -> Iterable[Any]: ...

    def rest(self) -> Iterable[Any]: ...


class Copied:
    """The packets as they are, but for those that are `gap`, which the muxer writes by itself."""

    def __init__(self, output: Any, gap: bytes | None = None) -> None:
        self.output, self._gap = output, gap

    def __call__(self, packet: Any) -> list[Any]:
        if self._gap is not None and bytes(packet) == self._gap:
            return []
        packet.stream = self.output
        return [packet]

    def rest(self) -> list[Any]:
        return []


def sound_like(container: Any, stream: Any) -> Any:
    """A new stream of the output, for the sound of `stream` as it is.

    FFmpeg 9 takes all that an MP4's edit list hides for the codec's padding, which containers without such lists have
    players cut off. There the hidden packets are left out, so that what is heard would be cut: they get the padding that
    the codec has without the list.
    """
    delay = getattr(stream.codec_context, "delay", 0)
    if not delay or container.format.name in ISO_BASE_MEDIA or not is_iso_base_media(stream.container):
        return container.add_stream_from_template(stream)
    with open_video(stream.container.name, ignore_editlist="1") as plain:
        return container.add_stream_from_template(plain.streams[stream.index])


def is_iso_base_media(container: Any) -> bool:
    """An MP4 or MOV, whose edit lists say when each track begins."""
    return "mp4" in container.format.name


def codec_of(stream: Any) -> str | None:
    """ffmpeg's name for it, or the four letters by which an MP4 calls it; None where neither is known."""
    if stream.codec_context is not None:
        return str(stream.codec_context.codec.canonical_name)
    return getattr(stream, "name", None) or None


def takes(container_format: str, stream: Any) -> bool:
    """Whether a container has a place for a stream as it is; tried, as a list of codecs says yes too often (Opus in MOV)."""
    if stream.type == "audio" and codec_of(stream) not in _PLAYED_IN.get(container_format, {codec_of(stream)}):
        return False
    av = require_av()
    trial = av.open(BytesIO(), "w", format=container_format)
    try:
        trial.add_stream_from_template(stream, opaque=True)
        trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    finally:
        close_quietly(trial)
    return True


def able(stream: Any) -> str:
    """The endings of the containers that take it, as `.mp4 or .mkv`; empty where none does."""
    return " or ".join(ending for ending, other in _OTHERS.items() if takes(other, stream))


def ending_of(container_format: str) -> str:
    """The ending that people know it by."""
    return {"ipod": ".m4v", "matroska": ".mkv"}.get(container_format, f".{container_format}")


def first_few(names: Sequence[str]) -> str:
    """As a list in a line."""
    return ", ".join(map(shown, names[:_SHOWN])) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def shown(text: str) -> str:
    """What a file says, as a word or some of a message's one line."""
    line = "".join(one if one.isprintable() else " " for one in text[:_MOST_SHOWN])
    return line + ("…" if len(text) > _MOST_SHOWN else "")


def left_out(kind: str, stream: Any, container_format: str) -> str:
    """The line that says so."""
    codec, endings = codec_of(stream), able(stream)
    what = f"{kind}: {codec}" if codec else f"{kind} in a codec that is not known here"
    why = f" has no place in {ending_of(container_format)} and" if codec else ""
    return f"{what}{why} was left out" + (f"; choose {endings} to keep it" if endings else "")
