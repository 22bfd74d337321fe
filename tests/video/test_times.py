"""Every frame of the result has the time that it has in the input, and the order is kept."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.video.clips import Frame, av, frames, make, packets, planes, times

from segruntime.run.statistics import Statistics

pytestmark = pytest.mark.usefixtures("everywhere")
Run = Callable[..., Statistics]
NTSC = Fraction(30000, 1001)
MS = Fraction(1, 1000)


def numbered_gray(i: int, width: int, height: int) -> Frame:
    return np.full((height, width, 3), 20 + 15 * i, np.uint8)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("in.mp4", {"rate": NTSC}),
        ("in.mp4", {"rate": Fraction(24000, 1001)}),
        ("in.mp4", {"times": [0, 40, 41, 110, 400, 403, 990], "time_base": MS}),
        ("in.mp4", {"times": [7777, 7810, 7850, 9000], "time_base": MS}),
        ("in.mp4", {"times": [0, 3003, 6006, 12012], "time_base": Fraction(1, 90000)}),
        ("in.mp4", {"options": {"bf": "3", "preset": "fast", "b-adapt": "0"}, "frames": 14}),
        ("in.mkv", {"times": [5, 40, 41, 110, 400], "time_base": MS}),
        ("in.mkv", {"rate": NTSC}),
        ("in.ts", {"rate": NTSC}),
    ],
    ids=["ntsc", "film", "variable", "late-start", "gap", "b-frames", "mkv-variable", "mkv-ntsc", "ts"],
)
@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_frame_times_are_kept(name: str, words: dict[str, Any], ending: str, tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / name, **words)
    out = tmp_path / f"out{ending}"
    statistics = segrun(clip, out)
    before, after = times(clip), times(out)
    assert len(before) == statistics.frames == len(words.get("times", range(words.get("frames", 12))))
    if ending == ".mkv" and not name.endswith(".mkv"):
        assert all(abs(a - b) <= MS / 2 for a, b in zip(after, before, strict=True))  # it counts in milliseconds
    else:
        assert after == before


def test_b_frames_are_in_the_input_of_that_test(tmp_path: Path) -> None:
    clip = make(tmp_path / "in.mp4", options={"bf": "3", "preset": "fast", "b-adapt": "0"}, frames=14)
    with av.open(str(clip)) as container:
        assert any(packet.pts > packet.dts for packet in container.demux(video=0) if packet.dts is not None)


def test_order_is_kept(tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mp4", frames=14, draw=numbered_gray, options={"bf": "3", "preset": "fast"})
    segrun(clip, tmp_path / "out.mp4")
    levels = [float(planes(frame)[0].mean()) for frame in frames(tmp_path / "out.mp4")]
    assert levels == sorted(levels)
    assert levels == pytest.approx([16 + (20 + 15 * i) * 219 / 255 for i in range(14)], abs=2)


def test_the_length_of_a_frame_rate_is_kept(tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mp4", rate=NTSC)
    segrun(clip, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].average_rate == NTSC
        assert container.streams.video[0].frames == 12


@pytest.mark.parametrize(("name", "codec"), [("in.h264", "libx264"), ("in.m4v", "mpeg4"), ("in.mjpeg", "mjpeg")])
def test_a_raw_stream_without_times_gets_them_from_its_rate(name: str, codec: str, tmp_path: Path, segrun: Run) -> None:
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    container = {"in.m4v": {"format": "m4v"}}.get(name, {})
    clip = make(tmp_path / name, codec=codec, pixels=pixels, options={"bf": "0"}, **container)
    statistics = segrun(clip, tmp_path / "out.mp4")
    assert (statistics.frames, statistics.broken, statistics.notes) == (12, 0, [])
    assert times(tmp_path / "out.mp4") == [Fraction(i, 25) for i in range(12)]


def test_joined_transport_streams_go_on_with_sound_and_picture(tmp_path: Path, segrun: Run) -> None:
    """Three recordings of a second, each with its own clock from the start."""
    part = make(tmp_path / "part.ts", frames=25, sound=["aac"]).read_bytes()
    (tmp_path / "in.ts").write_bytes(part * 3)
    statistics = segrun(tmp_path / "in.ts", tmp_path / "out.mkv")
    assert (statistics.frames, statistics.broken, statistics.notes) == (75, 0, [])
    shown = times(tmp_path / "out.mkv")
    assert len(shown) == 75
    steps = [b - a for a, b in pairwise(shown)]
    assert all(0 < step <= 3 * Fraction(1, 25) for step in steps)
    assert sum(step == Fraction(1, 25) for step in steps) >= 72  # all but the joints
    sound = packets(tmp_path / "out.mkv")[0]
    assert len(sound) == len(packets(tmp_path / "in.ts")[0])
    for k in (25, 50):  # what belongs together stays together: the part's first picture and first sound
        first_sound = sound[len(sound) * k // 75][0]
        assert abs(first_sound - shown[k]) < Fraction(1, 10)
