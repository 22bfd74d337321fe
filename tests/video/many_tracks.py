"""A video with more than picture and sound, put together from a clip, and what a file holds of such tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tests.video.clips import av

MS = Fraction(1, 1000)
CHAPTERS = [(0, 200, "One"), (200, 480, "Zwei ü")]  # start, end in milliseconds
LINES = [(0, 150, "hello"), (200, 400, "good <i>bye</i>")]


@dataclass(kw_only=True)
class Words:
    """A track of subtitles: `lines` of start, end in milliseconds and text, or bytes of a bitmap."""

    codec: str = "subrip"
    lines: Sequence[tuple[int, int, str | bytes]] = tuple(LINES)
    metadata: dict[str, str] = field(default_factory=dict)
    disposition: int = 0


@dataclass(kw_only=True)
class Extras:
    """What is added to a clip; `sound`: metadata and disposition of each of its tracks of sound."""

    sound: Sequence[tuple[dict[str, str], int]] = ()
    words: Sequence[Words] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    picture: dict[str, str] = field(default_factory=dict)
    chapters: Sequence[tuple[int, int, str]] = ()
    files: Sequence[tuple[str, str, bytes]] = ()
    cover: bytes | None = None
    options: dict[str, str] = field(default_factory=dict)


def remade(source: Path, target: Path, extras: Extras) -> Path:
    """The packets of `source` and the extras in a new file."""
    with av.open(str(source)) as old, av.open(str(target), "w", container_options=extras.options) as new:
        new.metadata.update(extras.metadata)
        copies = {stream.index: new.add_stream_from_template(stream, opaque=True) for stream in old.streams}
        new.streams.video[0].metadata.update(extras.picture)
        for stream, (metadata, disposition) in zip(new.streams.audio, extras.sound, strict=False):
            stream.metadata.update(metadata)
            stream.disposition = disposition
        if extras.chapters:
            new.set_chapters([_chapter(*one, k) for k, one in enumerate(extras.chapters)])
        for file in extras.files:
            new.add_attachment(*file)
        packets = [packet for words in extras.words for packet in _subtitles(new, words)]
        if extras.cover is not None:
            packets.append(_cover(new, extras.cover))
        for packet in packets:
            new.mux(packet)
        for packet in old.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                new.mux(packet)
    return target


def spoken(path: Path, k: int = 0) -> list[tuple[int, str]]:
    """Start in milliseconds and text of each subtitle of a track."""
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[k]
        read = [(packet, packet.decode()) for packet in container.demux(stream) if packet.size]
        return [
            (round(packet.pts * packet.time_base / MS), b" ".join(line.dialogue for line in lines).decode())
            for packet, lines in read
            if lines
        ]


def chapters(path: Path) -> list[tuple[float, float, str]]:
    """Start and end in seconds, title."""
    with av.open(str(path)) as container:
        return [
            (float(one["start"] * one["time_base"]), float(one["end"] * one["time_base"]), one["metadata"]["title"])
            for one in container.chapters()
        ]


def metadata(path: Path) -> dict[str, str]:
    """Of the container, by keys in lower case: Matroska writes capitals.

    With any keys an MP4 says `creation_time` in two places, and FFmpeg 9 reads both, with a semicolon between.
    """
    with av.open(str(path)) as container:
        found = {key.lower(): value for key, value in container.metadata.items()}
        if "mp4" in container.format.name and "creation_time" in found:
            (found["creation_time"],) = set(found["creation_time"].split(";"))
        return found


def covers(path: Path) -> list[bytes]:
    """The bytes of each picture that stands for the whole."""
    with av.open(str(path)) as container:
        streams = [s for s in container.streams.video if s.disposition & s.disposition.attached_pic]
        return [bytes(packet) for packet in container.demux(*streams) if packet.size] if streams else []


def picture(ending: str) -> bytes:
    """A small red picture."""
    done, data = cv2.imencode(ending, np.full((32, 32, 3), (0, 0, 200), np.uint8))
    assert done
    return data.tobytes()


def _chapter(start: int, end: int, title: str, k: int) -> dict[str, Any]:
    return {"id": k, "start": start, "end": end, "time_base": MS, "metadata": {"title": title}}


def _subtitles(container: Any, words: Words) -> list[Any]:
    stream = container.add_mux_stream(words.codec, time_base=MS)
    stream.metadata.update(words.metadata)
    stream.disposition = words.disposition
    return [_packet(stream, start, end, _coded(words.codec, text)) for start, end, text in words.lines]


def _coded(codec: str, text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return len(data).to_bytes(2, "big") + data if codec == "mov_text" else data


def _packet(stream: Any, start: int, end: int, data: bytes) -> Any:
    packet = av.Packet(data)
    packet.stream, packet.time_base, packet.is_keyframe = stream, MS, True
    packet.pts = packet.dts = start
    packet.duration = end - start
    return packet


def _cover(container: Any, data: bytes) -> Any:
    codec = "png" if data.startswith(b"\x89PNG") else "mjpeg"
    stream = container.add_mux_stream(codec, time_base=MS, width=32, height=32)
    stream.disposition = av.stream.Disposition.attached_pic.value
    return _packet(stream, 0, 0, data)
