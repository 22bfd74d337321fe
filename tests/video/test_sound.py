"""The sound of the input in the output: the same packets at the same times, or opus where there is no place for them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.video.clips import SHARED, av, flip_bytes, frames, make, packets, times

from segruntime.run.source import VideoFacts
from segruntime.run.statistics import Statistics
from segruntime.run.video.tracks import TrackCopy

pytestmark = pytest.mark.usefixtures("everywhere")
Run = Callable[..., Statistics]


@pytest.mark.parametrize(
    ("source", "target", "codecs"),
    [
        ("in.mp4", "out.mp4", ["aac"]),
        ("in.mp4", "out.mov", ["aac", "aac"]),
        ("in.mkv", "out.mkv", ["libopus", "aac", "ac3"]),
        ("in.webm", "out.webm", ["libopus"]),
        ("in.mkv", "out.mp4", ["libmp3lame"]),
        ("in.mov", "out.mov", ["pcm_s16le"]),
    ],
)
def test_sound_is_copied_packet_for_packet(
    source: str, target: str, codecs: list[str], tmp_path: Path, segrun: Run
) -> None:
    video = {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}} if source.endswith("webm") else {}
    clip = make(tmp_path / source, sound=codecs, **video)
    statistics = segrun(clip, tmp_path / target)
    before, after = packets(clip), packets(tmp_path / target)
    assert statistics.notes == []
    assert len(after) == len(codecs)
    for was, now in zip(before, after, strict=True):
        assert len(was) > 5
        assert [data for _, data in now] == [data for _, data in was]
        assert [time for time, _ in now] == [time for time, _ in was]


def test_mp4_to_mkv_moves_sound_and_picture_alike(tmp_path: Path, segrun: Run) -> None:
    """AAC begins before 0, by the samples that its filter needs; Matroska has no such times, so that all move by it."""
    clip = make(tmp_path / "in.mp4", sound=["aac"])
    out = tmp_path / "out.mkv"
    segrun(clip, out)
    before, after = packets(clip)[0], packets(out)[0]
    assert before[0][0] < 0
    assert [data for _, data in after] == [data for _, data in before]
    moved = times(out)[0] - times(clip)[0]
    millisecond = Fraction(1, 1000)
    assert all(abs(a - b - moved) <= millisecond for (a, _), (b, _) in zip(after, before, strict=True))
    assert all(abs(a - b - moved) <= millisecond for a, b in zip(times(out), times(clip), strict=True))


def test_sound_that_is_longer_than_the_picture_is_kept_to_its_end(tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mkv", frames=5, sound=["aac"], sound_s=2.0)
    assert segrun(clip, tmp_path / "out.mkv").notes == []
    assert packets(tmp_path / "out.mkv") == packets(clip)


def test_sound_after_the_last_picture_of_a_codec_that_holds_none_back_is_kept(tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mkv", frames=5, codec="rawvideo", options={}, sound=["aac"], sound_s=2.0)
    segrun(clip, tmp_path / "out.mkv")
    assert packets(tmp_path / "out.mkv") == packets(clip)


def test_sound_that_begins_after_the_picture_begins_after_it_in_the_result(tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mp4", sound=["aac"], sound_start_s=0.25)
    segrun(clip, tmp_path / "out.mp4")
    assert packets(clip)[0][0][0] > Fraction(1, 5)
    assert packets(tmp_path / "out.mp4") == packets(clip)


def test_adts_sound_of_a_transport_stream_goes_to_mp4(tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.ts", sound=["aac"])
    segrun(clip, tmp_path / "out.mp4")
    before, after = packets(clip)[0], packets(tmp_path / "out.mp4")[0]
    adts_header = 7
    assert [data for _, data in after] == [data[adts_header:] for _, data in before]
    between = [b - a for (a, _), (b, _) in pairwise(after)]
    assert all(abs(step - Fraction(1024, 48000)) < Fraction(1, 1000) for step in between)
    offset = times(clip)[0] - before[0][0]
    assert abs(times(tmp_path / "out.mp4")[0] - after[0][0] - offset) < Fraction(1, 1000)


def test_aac_becomes_opus_in_webm_with_a_note_and_the_tone_stays_in_place(tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mp4", frames=25, sound=["aac"])
    statistics = segrun(clip, tmp_path / "out.webm")
    assert statistics.notes == [
        "sound: aac has no place in .webm, encoded again as opus; choose .mp4 or .mkv or .mov to copy it as it is"
    ]
    with av.open(str(tmp_path / "out.webm")) as container:
        assert container.streams.audio[0].codec_context.name in ("opus", "libopus")
        heard = [(float(f.pts * f.time_base), f.to_ndarray()) for f in container.decode(audio=0)]
    assert heard[0][0] == pytest.approx(0, abs=0.03)
    assert heard[-1][0] + 0.02 == pytest.approx(1.0, abs=0.05)
    loud = [np.abs(samples.astype(float)).max() for _, samples in heard[3:-3]]
    full = 1.0 if heard[0][1].dtype.kind == "f" else 32768
    assert min(loud) > 0.15 * full  # the tone has 0.24
    assert frames(tmp_path / "out.webm")[0].pts == 0


@pytest.mark.parametrize(
    ("source", "codec", "target", "choose"),
    [
        ("in.mkv", "libopus", "out.mov", ".mp4 or .mkv"),
        ("in.mkv", "libopus", "out.m4v", ".mp4 or .mkv"),
        ("in.mkv", "flac", "out.mov", ".mp4 or .mkv"),
        ("in.mov", "pcm_mulaw", "out.mkv", ".mov"),
    ],
)
def test_sound_that_a_container_has_no_place_for_becomes_aac(
    source: str, codec: str, target: str, choose: str, tmp_path: Path, segrun: Run
) -> None:
    clip = make(tmp_path / source, frames=12, sound=[codec])
    statistics = segrun(clip, tmp_path / target)
    assert len(statistics.notes) == 1
    assert statistics.notes[0].endswith(f"encoded again as aac; choose {choose} to copy it as it is")
    with av.open(str(tmp_path / target)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        heard = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert 0.48 <= heard.shape[1] / 48000 < 0.54  # none is lost; the last frame of AAC is filled up with silence
    assert np.abs(heard[:, 4000:-4000]).max() == pytest.approx(8000 / 32768, rel=0.1)


def test_stereo_that_becomes_mono_on_the_way_is_encoded_to_its_end(tmp_path: Path, segrun: Run) -> None:
    parts = [
        make(tmp_path / f"{layout}.ts", frames=15, sound=["mp2"], layout=layout, start=start, sound_start_s=start / 25)
        for layout, start in (("stereo", 0), ("mono", 15))
    ]
    (tmp_path / "in.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    segrun(tmp_path / "in.ts", tmp_path / "out.webm")
    assert len(packets(tmp_path / "out.webm")[0]) > 50


@pytest.mark.parametrize("target", ["out.mp4", "out.mkv"])
def test_a_broken_packet_of_adts_sound_is_left_out_with_a_note(target: str, tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.ts", frames=25, sound=["aac"])
    data = bytearray(clip.read_bytes())
    header = packets(clip)[0][20][1][:7]
    at = data.index(packets(clip)[0][20][1][:60])
    assert header[:2] in (b"\xff\xf1", b"\xff\xf9")
    data[at : at + 2] = b"\x00\x00"
    clip.write_bytes(data)
    before = len(packets(clip)[0])
    statistics = segrun(clip, tmp_path / target)
    assert statistics.frames == 25
    lost = before - len(packets(tmp_path / target)[0])
    assert statistics.notes == ([f"sound: {lost} packets are broken and were left out"] if lost else [])


@pytest.mark.parametrize("damage", [None, -5])
def test_a_packet_whose_times_contradict_each_other_is_left_out(damage: int | None, tmp_path: Path) -> None:
    """Damaged files hold them; a muxer would refuse them later, in the middle of others."""
    clip = make(tmp_path / "in.mp4", frames=5, sound=["aac"])
    with av.open(str(clip)) as source, av.open(str(tmp_path / "out.mkv"), "w") as to:
        copy = TrackCopy(
            to,
            VideoFacts(width=2, height=2, time_base=Fraction(1), rate=Fraction(1), tracks=tuple(source.streams.audio)),
        )
        sound = [packet for packet in source.demux(audio=0) if packet.dts is not None]
        sound[3].pts = None if damage is None else sound[3].dts + damage
        copy.write(sound)
    assert copy.lost == 1
    assert len(packets(tmp_path / "out.mkv")[0]) == len(sound) - 1


def test_a_broken_packet_of_sound_that_is_encoded_again_is_left_out(tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mp4", frames=25, sound=["aac"])
    flip_bytes(clip, packets(clip)[0][10][1])
    statistics = segrun(clip, tmp_path / "out.webm")
    assert statistics.frames == 25
    assert statistics.notes[1:] == ["sound: 1 packets are broken and were left out"]
    assert len(packets(tmp_path / "out.webm")[0]) > 40


def test_a_video_without_sound_gives_one_without(tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mp4", frames=3)
    segrun(clip, tmp_path / "out.mp4")
    assert packets(tmp_path / "out.mp4") == []


@pytest.mark.slow
def test_the_portrait_clip_keeps_its_sound_and_times(tmp_path: Path, segrun: Run) -> None:
    clip = SHARED / "video" / "portrait.mp4"
    if not clip.is_file():
        pytest.skip("the portrait clip is not there")
    statistics = segrun(clip, tmp_path / "out.mp4", "blur")
    assert statistics.frames == 195
    assert packets(tmp_path / "out.mp4") == packets(clip)
    assert times(tmp_path / "out.mp4") == times(clip)
