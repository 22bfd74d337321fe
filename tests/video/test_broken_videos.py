"""Videos that are cut off, empty, damaged in the middle, or none at all."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from tests import messages
from tests.video.clips import av, flip_bytes, frames, make, packets, rotate_tag, times

from segruntime.errors import VideoError
from segruntime.run.statistics import Statistics

pytestmark = pytest.mark.usefixtures("everywhere")
Run = Callable[..., Statistics]
Refuses = Callable[..., None]


def cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def with_faststart(path: Path) -> Path:
    """The same MP4 with its index in front."""
    fast = path.with_name("fast.mp4")
    with av.open(str(path)) as source, av.open(str(fast), "w", options={"movflags": "faststart"}) as to:
        streams = {stream.index: to.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                to.mux(packet)
    return fast


@pytest.mark.parametrize("share", [0.4, 0.55, 0.7])
def test_an_mp4_with_its_index_in_front_gives_what_is_there(share: float, tmp_path: Path, segrun: Run) -> None:
    clip = with_faststart(make(tmp_path / "in.mp4", frames=50, sound=["aac"], options={"crf": "10", "g": "10"}))
    whole = len(frames(clip))
    cut(clip, share)
    statistics = segrun(clip, tmp_path / "out.mp4")
    assert 0 < statistics.frames < whole
    assert len(frames(tmp_path / "out.mp4")) == statistics.frames
    (note,) = statistics.notes
    assert note.startswith(f"{messages.ENDS_EARLY} (")
    assert note.endswith(f"); {statistics.frames} frames were done")


def test_an_mp4_whose_index_is_cut_off_is_an_error(tmp_path: Path, refuses: Refuses) -> None:
    clip = make(tmp_path / "in.mp4", frames=20)
    cut(clip, 0.5)
    said = r"in\.mp4: cannot be opened \(.*\), expected a video file; check the path, or copy"
    refuses(VideoError, said, clip, tmp_path / "out.mp4")


@pytest.mark.parametrize("name", ["in.ts", "in.mkv"])
def test_a_cut_stream_gives_what_is_there(name: str, tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / name, frames=50, sound=["aac"], options={"g": "10", "crf": "10"})
    cut(clip, 0.5)
    statistics = segrun(clip, tmp_path / "out.mkv")
    assert 10 < statistics.frames < 45
    assert len(frames(tmp_path / "out.mkv")) == statistics.frames
    assert len(packets(tmp_path / "out.mkv")[0]) > 10
    if name.endswith("mkv"):  # a transport stream does not say how long it is
        assert statistics.notes[0].startswith(f"{messages.ENDS_EARLY} (it says that it is 2.0 s long, and holds 1.")


def test_a_video_that_is_whole_has_no_note(tmp_path: Path, segrun: Run) -> None:
    for name in ("in.mp4", "in.mkv", "in.ts", "in.avi"):
        clip = make(tmp_path / name, frames=25, sound=["aac"] if name != "in.avi" else [], sound_s=2.5)
        assert segrun(clip, tmp_path / "out.mp4", overwrite=True).notes == [], name


def test_a_low_frame_rate_is_not_taken_for_a_cut(tmp_path: Path, segrun: Run) -> None:
    for name in ("in.mp4", "in.mkv"):
        clip = make(tmp_path / name, times=[0, 2000, 4100], time_base=Fraction(1, 1000), rate=Fraction(1, 2))
        assert segrun(clip, tmp_path / "out.mp4", overwrite=True).notes == [], name


@pytest.mark.parametrize("threads", [None, "1"])
def test_a_broken_packet_in_the_middle_is_counted_and_skipped(threads: str | None, tmp_path: Path, segrun: Run) -> None:
    """All frames are key frames, so that one is damaged and no other."""
    clip = make(tmp_path / "in.mp4", frames=20, sound=["aac"], options={"g": "1", "crf": "12", "preset": "ultrafast"})
    flip_bytes(clip, packets(clip, "video")[0][8][1])
    statistics = segrun(clip, tmp_path / "out.mp4")
    assert statistics.frames + statistics.broken == 20
    assert statistics.broken == 1
    expected = [Fraction(i, 25) for i in range(20) if i != 8]
    assert times(tmp_path / "out.mp4") == expected
    assert packets(tmp_path / "out.mp4") == packets(clip)


def test_a_frame_that_the_decoder_patched_up_is_left_out(tmp_path: Path, segrun: Run) -> None:
    """Half a picture is there, and the decoder makes up the rest from the one before."""
    clip = make(tmp_path / "in.mp4", frames=20, options={"g": "1", "crf": "12", "preset": "ultrafast"})
    payload = packets(clip, "video")[0][8][1]
    flip_bytes(clip, payload, keep=len(payload) // 2)
    assert len(frames(clip)) == 20
    statistics = segrun(clip, tmp_path / "out.mp4")
    assert (statistics.frames, statistics.broken) == (19, 1)
    assert times(tmp_path / "out.mp4") == [Fraction(i, 25) for i in range(20) if i != 8]


def test_a_broken_packet_that_others_build_on_does_not_end_the_run(tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mp4", frames=40, sound=["aac"], options={"g": "10", "bf": "2", "crf": "12"})
    flip_bytes(clip, packets(clip, "video")[0][13][1])
    statistics = segrun(clip, tmp_path / "out.mp4")
    assert 28 <= statistics.frames < 40
    assert statistics.broken >= 1
    assert packets(tmp_path / "out.mp4") == packets(clip)


@pytest.mark.parametrize("codec", ["libvpx-vp9", "mpeg4", "mjpeg"])
def test_broken_packets_of_other_codecs(codec: str, tmp_path: Path, segrun: Run) -> None:
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    clip = make(tmp_path / "in.mkv", frames=20, codec=codec, pixels=pixels, options={"g": "5"}, sound=["aac"])
    flip_bytes(clip, packets(clip, "video")[0][7][1])
    statistics = segrun(clip, tmp_path / "out.mkv")
    assert 15 <= statistics.frames <= 20
    assert packets(tmp_path / "out.mkv") == packets(clip)


def test_a_stream_that_begins_in_the_middle_of_a_group_starts_with_its_first_whole_frame(
    tmp_path: Path, segrun: Run
) -> None:
    clip = make(tmp_path / "in.ts", frames=40, options={"g": "10", "crf": "10"})
    data = clip.read_bytes()
    clip.write_bytes(data[len(data) // 188 // 3 * 188 :])
    statistics = segrun(clip, tmp_path / "out.mp4")
    assert 10 < statistics.frames < 30
    assert frames(tmp_path / "out.mp4")[0].key_frame


def test_every_packet_broken_is_an_error(tmp_path: Path, refuses: Refuses) -> None:
    clip = make(tmp_path / "in.mkv", frames=4, codec="mjpeg", pixels="yuvj420p", options={})
    for _, payload in packets(clip, "video")[0]:
        clip.write_bytes(clip.read_bytes().replace(payload, bytes(len(payload))))
    said = r"in\.mkv: has no frame.*, expected a video; it may be cut off, copy it again"
    refuses(VideoError, said, clip, tmp_path / "out.mp4")


def test_a_video_without_frames_is_an_error(tmp_path: Path, refuses: Refuses) -> None:
    path = tmp_path / "in.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 160, 120
        container.start_encoding()
    refuses(VideoError, r"in\.avi: (has no frame|holds nothing|cannot be opened)", path, tmp_path / "out.mp4")


def test_a_file_of_sound_alone_is_an_error(tmp_path: Path, refuses: Refuses) -> None:
    path = tmp_path / "in.mka"
    clip = make(tmp_path / "clip.mkv", sound=["aac"])
    with av.open(str(clip)) as source, av.open(str(path), "w", format="matroska") as to:
        stream = to.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                to.mux(packet)
    refuses(VideoError, r"in\.mka: holds audio, expected a video stream; nothing to do", path, tmp_path / "out.mp4")


@pytest.mark.parametrize("content", [b"", b"text" * 1000, bytes(5000)])
def test_what_is_no_video_is_an_error(content: bytes, tmp_path: Path, refuses: Refuses) -> None:
    (tmp_path / "in.mp4").write_bytes(content)
    said = r"in\.mp4: cannot be opened \(.*\), expected a video file"
    refuses(VideoError, said, tmp_path / "in.mp4", tmp_path / "out.mp4")


def test_a_missing_video_and_an_address_that_nobody_answers_are_errors(tmp_path: Path, refuses: Refuses) -> None:
    said = r"nowhere\.mp4: cannot be opened \(No such file or directory\)"
    refuses(VideoError, said, tmp_path / "nowhere.mp4", tmp_path / "out.mp4")
    refuses(VideoError, "expected a stream that can be reached", "tcp://127.0.0.1:9", tmp_path / "out.mp4")


@pytest.mark.parametrize("name", ["a:b.mp4", "-dash.mp4", "%05d.mp4", "ü ä.mp4", "con cat'.mp4", "0"])
def test_odd_names_of_videos(name: str, tmp_path: Path, segrun: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "in.mp4", frames=2).rename(tmp_path / name)
    assert segrun(name, "out:1.mp4").frames == 2
    assert len(frames(tmp_path / "out:1.mp4")) == 2


def test_a_long_name_has_room_for_its_draft(tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mp4", frames=2)
    target = tmp_path / f"{'人' * 83}.mp4"  # 253 bytes, of the 255 that a name may have
    segrun(clip, target)
    assert len(frames(target)) == 2


def test_ffmpeg_agrees_that_the_fixture_is_rotated(tmp_path: Path) -> None:
    """The display matrix that the tests write by hand means what FFmpeg's own tool takes it for."""
    clip = make(tmp_path / "in.mp4", frames=1)
    rotate_tag(clip, 90)
    try:
        words = ["ffprobe", "-v", "error", "-show_entries", "stream_side_data=rotation", "-of", "csv=p=0", str(clip)]
        found = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    except FileNotFoundError:
        pytest.skip("ffprobe is not installed")
    assert found.stdout.strip() == "-90"
