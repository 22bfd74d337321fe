"""Sound and picture stay together, whatever the clock of the input does."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.video.clips import RATE_HZ, av, make, packets, times
from tests.video.many_tracks import MS, Extras, Words, chapters, remade

from segruntime.run.statistics import Statistics

pytestmark = pytest.mark.usefixtures("everywhere")
Run = Callable[..., Statistics]
ENDINGS = [".mp4", ".mov", ".mkv", ".webm"]


def clicking(path: Path, codec: str = "aac", seconds: int = 3) -> Path:
    """White frames of 25 a second and a click of 20 ms with every 25th; the picture has keyframes at each."""
    with av.open(str(path), "w") as container:
        picture = container.add_stream(
            "libx264", rate=25, width=64, height=48, options={"preset": "ultrafast", "g": "25"}
        )
        picture.codec_context.time_base = Fraction(1, 25)
        sound = container.add_stream(codec, rate=RATE_HZ, layout="mono")
        n = np.arange(seconds * RATE_HZ)
        wave = np.where(n % RATE_HZ < RATE_HZ // 50, np.sin(n * (2 * np.pi * 1000 / RATE_HZ)) * 25000, 0)
        frame = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        size = sound.codec_context.frame_size or 1024
        resampler = av.AudioResampler(format=sound.format, layout="mono", rate=RATE_HZ, frame_size=size)
        heard = [
            p for piece in [*resampler.resample(frame), *resampler.resample(None), None] for p in sound.encode(piece)
        ]
        for i in range(seconds * 25):
            image = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 200, np.uint8))
            image.pts, image.time_base = i, Fraction(1, 25)
            container.mux(picture.encode(image))
        container.mux(picture.encode(None))
        for packet in heard:
            container.mux(packet)
    return path


def clicks(path: Path) -> list[float]:
    """When each click is heard, in seconds after the first picture."""
    found: list[float] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples = frame.to_ndarray().astype(np.float64).reshape(-1)
            samples /= 32768 if frame.format.name.startswith("s16") else 1
            loud = float(frame.pts * frame.time_base) + np.flatnonzero(np.abs(samples) > 0.2) / frame.sample_rate
            found += [float(at) for at in loud]
    first = float(times(path)[0])
    starts = [at for before, at in pairwise([-9.0, *found]) if at - before > 0.3]
    return [at - first for at in starts]


def delayed(source: Path, target: Path, delays_s: dict[str, float], without: tuple[float, float] | None = None) -> Path:
    """The packets of `source`, each kind later by so much; without those of sound that begin within `without`."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        copies = {stream.index: new.add_stream_from_template(stream, opaque=True) for stream in old.streams}
        for packet in old.demux():
            if not packet.size:
                continue
            kind, start = packet.stream.type, float(packet.pts * packet.time_base)
            if without and kind == "audio" and without[0] < start < without[1]:
                continue
            ticks = round(delays_s.get(kind, 0.0) / packet.time_base)
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
            packet.stream = copies[packet.stream.index]
            new.mux(packet)
    return target


@pytest.mark.parametrize("target", ENDINGS)
@pytest.mark.parametrize(
    ("source", "delays", "heard"),
    [
        ("in.mkv", {"audio": 0.5}, [0.5, 1.5, 2.5]),
        ("in.mp4", {"audio": 0.5}, [0.5, 1.5, 2.5]),
        ("in.mkv", {"video": 0.5}, [-0.5, 0.5, 1.5]),
        ("in.mp4", {"video": 0.5}, [-0.5, 0.5, 1.5]),
        ("in.mkv", {"video": 5, "audio": 5}, [0, 1, 2]),
        ("in.ts", {"video": 40_000, "audio": 40_000}, [0, 1, 2]),
        ("in.ts", {"audio": 0.5}, [0.5, 1.5, 2.5]),
    ],
)
def test_sound_is_heard_with_its_picture(
    source: str, delays: dict[str, float], heard: list[float], target: str, tmp_path: Path, segrun: Run
) -> None:
    path = delayed(clicking(tmp_path / "plain.mkv"), tmp_path / source, delays)
    assert clicks(path) == pytest.approx(heard, abs=0.003)
    assert segrun(path, tmp_path / f"out{target}").frames == 75
    assert clicks(tmp_path / f"out{target}") == pytest.approx(heard, abs=0.003)
    steps = [b - a for a, b in pairwise(times(tmp_path / f"out{target}"))]
    assert all(abs(step - Fraction(1, 25)) <= MS for step in steps)


@pytest.mark.parametrize("target", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize("source", ["in.mkv", "in.mp4"])
def test_a_gap_in_the_sound_stays_a_gap(source: str, target: str, tmp_path: Path, segrun: Run) -> None:
    """Encoded again too, what comes after it is not moved to where it began."""
    path = delayed(clicking(tmp_path / "plain.mkv"), tmp_path / source, {}, without=(0.8, 1.5))
    segrun(path, tmp_path / f"out{target}")
    assert clicks(path) == pytest.approx([0, 2], abs=0.003)
    assert clicks(tmp_path / f"out{target}") == pytest.approx([0, 2], abs=0.003)


@pytest.mark.parametrize(("source", "start_s"), [("in.ts", 40_000), ("in.ts", 2), ("in.mkv", 5)])
@pytest.mark.parametrize("target", ENDINGS)
def test_a_clock_that_began_before_the_recording_begins_with_it(
    source: str, start_s: int, target: str, tmp_path: Path, segrun: Run
) -> None:
    """A broadcast's runs from anywhere; an MP4 would show nothing for as long."""
    plain = make(tmp_path / "plain.mkv", sound=["aac"])
    path = delayed(plain, tmp_path / source, {"video": start_s, "audio": start_s})
    assert times(path)[0] > start_s - 1
    segrun(path, tmp_path / f"out{target}")
    before, after = times(path), times(tmp_path / f"out{target}")
    assert 0 <= after[0] <= Fraction(1, 10)
    assert all(abs((b - after[0]) - (a - before[0])) <= MS for a, b in zip(before, after, strict=True))
    with av.open(str(tmp_path / f"out{target}")) as container:
        assert container.duration / av.time_base == pytest.approx(0.5, abs=0.1)
    if target != ".webm":  # where it is encoded again
        heard = zip(packets(path)[0], packets(tmp_path / f"out{target}")[0], strict=True)
        assert all(abs((b - after[0]) - (a - before[0])) <= MS for (a, _), (b, _) in heard)


def test_subtitles_and_chapters_move_with_the_clock(tmp_path: Path, segrun: Run) -> None:
    plain = make(tmp_path / "plain.mkv", sound=["aac"])
    late = delayed(plain, tmp_path / "late.mkv", {"video": 5, "audio": 5})
    extras = Extras(words=[Words(lines=[(5100, 5200, "hello")])], chapters=[(5000, 5200, "One"), (5200, 5480, "Two")])
    path = remade(late, tmp_path / "in.mkv", extras)
    for ending in (".mkv", ".mp4"):
        out = tmp_path / f"out{ending}"
        segrun(path, out)
        first = times(out)[0]
        (lines,) = packets(out, "subtitle")
        (said,) = [time for time, data in lines if b"hello" in data]
        assert abs(said - first - Fraction(1, 10)) <= 2 * MS
        assert [start for start, _, _ in chapters(out)] == pytest.approx([0, 0.2], abs=0.03)


@pytest.mark.parametrize(("codec", "early_s"), [("aac", 0.05), ("ac3", 0.05), ("libopus", 0.11), ("flac", 0.11)])
@pytest.mark.parametrize("target", [".mp4", ".mkv", ".webm"])
def test_what_an_edit_list_hides_stays_hidden(
    target: str, codec: str, early_s: float, tmp_path: Path, segrun: Run
) -> None:
    """Cut at 1.5 s without decoding: the picture from the keyframe at 1 s on is there, and the sound before, unheard.

    `early_s`: a packet, which FLAC has long ones of, or the 80 ms that Opus wants before what is heard.
    """
    path = delayed(clicking(tmp_path / "plain.mp4", codec), tmp_path / "in.mp4", {"video": -1.5, "audio": -1.5})
    shown = [time for time in times(path) if time >= 0]
    with av.open(str(path)) as container:
        assert any(packet.is_discard for packet in container.demux(audio=0))
    statistics = segrun(path, tmp_path / f"out{target}")
    assert statistics.frames == len(shown)
    first = times(tmp_path / f"out{target}")[0]
    assert clicks(tmp_path / f"out{target}") == pytest.approx([0.5 - float(shown[0])], abs=0.003)
    with av.open(str(tmp_path / f"out{target}")) as container:
        heard = [float(frame.pts * frame.time_base - first) for frame in container.decode(audio=0)]
    assert heard[0] > -early_s


def test_a_fragmented_mp4_keeps_times_and_sound(tmp_path: Path, segrun: Run) -> None:
    plain = make(tmp_path / "plain.mp4", frames=50, sound=["aac"], options={"g": "10", "bf": "0"})
    path = remade(
        plain, tmp_path / "in.mp4", Extras(options={"movflags": "frag_keyframe+empty_moov+default_base_moof"})
    )
    assert path.read_bytes().count(b"moof") >= 5
    statistics = segrun(path, tmp_path / "out.mp4")
    assert (statistics.frames, statistics.notes) == (50, [])
    assert times(tmp_path / "out.mp4") == times(path)
    assert packets(tmp_path / "out.mp4") == packets(path)


def test_a_frame_rate_that_the_header_has_wrong_does_no_harm(tmp_path: Path, segrun: Run) -> None:
    """A recorder that promised 120 frames a second and wrote 10."""
    path = make(
        tmp_path / "in.mkv", rate=Fraction(120), times=[100 * i for i in range(12)], time_base=MS, sound=["aac"]
    )
    statistics = segrun(path, tmp_path / "out.mp4")
    assert statistics.frames == 12
    assert times(tmp_path / "out.mp4") == times(path)


@pytest.mark.skipif(sys.platform == "win32", reason="its files have no holes unless asked")
@pytest.mark.parametrize("hole", [3 << 30, 5 << 30])
def test_a_file_of_more_bytes_than_32_bits_count_is_read(hole: int, tmp_path: Path, segrun: Run) -> None:
    """So many bytes of nothing, which take no place on the disk, between an MP4's start and its samples."""
    clip = make(tmp_path / "plain.mp4", sound=["aac"])
    path = with_hole(clip, tmp_path / "in.mp4", hole)
    assert path.stat().st_size > hole
    statistics = segrun(path, tmp_path / "out.mp4")
    assert (statistics.frames, statistics.broken, statistics.notes) == (12, 0, [])
    assert times(tmp_path / "out.mp4") == times(clip)
    assert packets(tmp_path / "out.mp4") == packets(clip)


def with_hole(source: Path, target: Path, size: int) -> Path:
    """`source`, an MP4 whose index is at its end, with an empty box of so many bytes before its samples."""
    data = source.read_bytes()
    at = data.index(b"mdat") - 4
    index = data.index(b"moov") - 4
    assert at < index
    moved = _with_long_offsets(data[index:], size)
    with target.open("wb") as file:
        file.write(data[:at] + struct.pack(">I4sQ", 1, b"free", size))
        file.seek(at + size)
        file.write(data[at:index] + moved)
    return target


def _with_long_offsets(boxes: bytes, shift: int) -> bytes:
    """Boxes with each table `stco` of 32-bit offsets as `co64` of 64-bit ones, moved by so much (ISO/IEC 14496-12, 8.7.5)."""
    made = b""
    while boxes:
        size, kind = struct.unpack(">I4s", boxes[:8])
        body, boxes = boxes[8:size], boxes[size:]
        if kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
            body = _with_long_offsets(body, shift)
        elif kind == b"stco":
            (count,) = struct.unpack(">I", body[4:8])
            offsets = struct.unpack(f">{count}I", body[8:])
            kind, body = b"co64", body[:8] + struct.pack(f">{count}Q", *(offset + shift for offset in offsets))
        made += struct.pack(">I4s", len(body) + 8, kind) + body
    return made
