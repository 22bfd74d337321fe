"""Small videos made with PyAV for the tests of `segrun`, and what they hold read back with PyAV."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

Frame = npt.NDArray[np.uint8]
SHARED = Path(__file__).parents[2].parent / "shared"
RATE_HZ = 48000


def person(width: int, height: int, shift: int = 0) -> Frame:
    """Head and shoulders before a blue-gray wall, `(height, width, 3) uint8, BGR`; the wall's left is darker."""
    ramp = np.linspace(90, 150, width)
    image = np.repeat(np.stack([ramp + 30, ramp, ramp - 20], -1)[None], height, 0).round().astype(np.uint8)
    side = min(width, height)
    x, y, head = width // 2 + shift, int(height * 0.4), int(side * 0.15)
    skin, hair, cloth = (120, 160, 215), (35, 30, 25), (60, 40, 110)
    cv2.ellipse(image, (x, height), (int(2.3 * head), height - y - int(1.6 * head)), 0, 0, 360, cloth, -1)
    cv2.rectangle(image, (x - head // 2, y), (x + head // 2, y + 2 * head), skin, -1)
    cv2.ellipse(image, (x, y - head // 5), (head, int(1.3 * head)), 0, 180, 360, hair, -1)
    cv2.ellipse(image, (x, y), (int(0.85 * head), int(1.15 * head)), 0, 0, 360, skin, -1)
    for eye in (-0.35, 0.35):
        cv2.circle(image, (int(x + eye * head), int(y - 0.1 * head)), max(1, head // 10), hair, -1)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.8), np.uint8)


def corners(width: int, height: int) -> Frame:
    """Four quarters of different gray, which say how a picture was turned: 40 and 100 above, 160 and 220 below."""
    image = np.empty((height, width, 3), np.uint8)
    image[: height // 2, : width // 2], image[: height // 2, width // 2 :] = 40, 100
    image[height // 2 :, : width // 2], image[height // 2 :, width // 2 :] = 160, 220
    return image


@dataclass(kw_only=True)
class Clip:
    """What to make. `times`: of each frame, in `time_base`; `draw(i, width, height)` gives frame `i` as BGR."""

    frames: int = 12
    size: tuple[int, int] = (160, 120)
    rate: Fraction = Fraction(25)
    codec: str = "libx264"
    format: str | None = None
    pixels: str = "yuv420p"
    times: Sequence[int] | None = None
    time_base: Fraction | None = None
    sound: Sequence[str] = ()
    sound_s: float | None = None
    sound_start_s: float = 0.0
    layout: str = "stereo"
    start: int = 0
    matrix: int | None = None
    range: int | None = None
    aspect: Fraction | None = None
    options: dict[str, str] = field(default_factory=lambda: {"crf": "12", "preset": "ultrafast"})
    draw: Callable[[int, int, int], Frame] = lambda i, width, height: person(width, height, i)


def make(path: Path, clip: Clip | None = None, **words: Any) -> Path:
    """Write `clip`, or `Clip(**words)`, to `path`; the ending chooses the container."""
    clip = clip or Clip(**words)
    with av.open(str(path), "w", format=clip.format) as container:
        stream = _video_stream(container, clip)
        sounds = [_sound_stream(container, codec, clip.layout, k) for k, codec in enumerate(clip.sound)]
        time_base = stream.codec_context.time_base
        times = clip.times or range(clip.start, clip.start + clip.frames)
        length_s = clip.sound_s if clip.sound_s is not None else float((times[-1] + 1 - clip.start) * time_base)
        waiting = [_encoded_sound(sound, tone, clip.sound_start_s, length_s) for sound, tone in sounds]
        for i, time in enumerate(times):
            container.mux(stream.encode(_frame(clip, i, time, time_base)))
            for packets in waiting:  # as a camera writes them: side by side
                while packets and packets[0].pts * packets[0].time_base <= time * time_base:
                    container.mux(packets.popleft())
        container.mux(stream.encode(None))
        for packets in waiting:
            container.mux(packets)
    return path


def packets(path: Path, kind: str = "audio") -> list[list[tuple[Fraction, bytes]]]:
    """Of each stream of a kind, the time in seconds and the bytes of every packet."""
    with av.open(str(path)) as container:
        streams = [s for s in container.streams if s.type == kind]
        found: dict[int, list[tuple[Fraction, bytes]]] = {s.index: [] for s in streams}
        for packet in container.demux(*streams) if streams else ():
            if packet.dts is not None:
                found[packet.stream.index].append((packet.pts * packet.time_base, bytes(packet)))
    return list(found.values())


def frames(path: Path) -> list[Any]:
    """Every decoded frame, as PyAV gives it."""
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def times(path: Path) -> list[Fraction]:
    """The time of each frame in seconds."""
    return [frame.pts * frame.time_base for frame in frames(path)]


def planes(frame: Any) -> list[Frame]:
    """Copies of its 8-bit planes."""
    return [
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width].copy()
        for plane in frame.planes
    ]


def flip_bytes(path: Path, payload: bytes, keep: int = 12) -> None:
    """Replace all but the first `keep` bytes of `payload`, a packet that is in the file once, by other bytes."""
    data = path.read_bytes()
    assert data.count(payload) == 1
    path.write_bytes(data.replace(payload, payload[:keep] + bytes(255 - b for b in payload[keep:])))


def rotate_tag(path: Path, degrees: int) -> None:
    """Set the display matrix of an MP4's first track: the picture is to be turned by so much clockwise."""
    matrix = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # after version, flags and 36 bytes of times, number, length and volume
    assert data[data.index(b"tkhd") + 4] == 0
    a, b, c, d = (value << 16 for value in matrix)
    for place, value in ((0, a), (4, b), (12, c), (16, d)):
        data[at + place : at + place + 4] = value.to_bytes(4, "big", signed=True)
    path.write_bytes(data)


def _video_stream(container: Any, clip: Clip) -> Any:
    stream = container.add_stream(clip.codec, rate=clip.rate, options=dict(clip.options))
    stream.width, stream.height = clip.size
    stream.pix_fmt = clip.pixels
    context = stream.codec_context
    context.time_base = stream.time_base = clip.time_base or 1 / clip.rate
    if clip.matrix is not None:
        context.colorspace = clip.matrix
    if clip.range is not None:
        context.color_range = clip.range
    if clip.aspect is not None:
        context.sample_aspect_ratio = clip.aspect
    return stream


def _frame(clip: Clip, i: int, time: int, time_base: Fraction) -> Any:
    frame = av.VideoFrame.from_ndarray(clip.draw(i, *clip.size), "bgr24")
    frame = frame.reformat(
        format=clip.pixels,
        dst_colorspace=None if clip.matrix is None else {1: "ITU709", 6: "ITU601"}[clip.matrix],
        dst_color_range=None if clip.range is None else clip.range,
    )
    frame.pts, frame.time_base = time, time_base
    if clip.matrix is not None:
        frame.colorspace = clip.matrix
    if clip.range is not None:
        frame.color_range = clip.range
    return frame


def _sound_stream(container: Any, codec: str, layout: str, k: int) -> tuple[Any, float]:
    stream = container.add_stream(
        codec, rate=RATE_HZ, options={"strict": "experimental"}
    )  # as ffmpeg says of its Vorbis
    stream.layout = layout
    return stream, 440.0 * (k + 1)


def _encoded_sound(stream: Any, tone_hz: float, start_s: float, length_s: float) -> deque[Any]:
    size = stream.codec_context.frame_size or 1024
    count = round(length_s * RATE_HZ)
    wave = np.sin(np.arange(count) * (2 * np.pi * tone_hz / RATE_HZ)) * 8000
    stereo = np.repeat(wave.astype(np.int16), 2)[None]
    resampler = av.AudioResampler(format=stream.format, layout=stream.layout, rate=RATE_HZ, frame_size=size)
    frame = av.AudioFrame.from_ndarray(stereo, format="s16", layout="stereo")
    frame.sample_rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
    frame.pts = round(start_s * RATE_HZ)
    pieces = [*resampler.resample(frame), *resampler.resample(None), None]
    return deque(packet for piece in pieces for packet in stream.encode(piece))
