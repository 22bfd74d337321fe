"""A long video in segments: the frames of the whole, at their times, with the sound of the source."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

from tests.jobs.conftest import Flickering, RunJob  # noqa: E402
from tests.refusals import refusal  # noqa: E402
from tests.video.clips import frames, make, packets, person, times  # noqa: E402

from segruntime.errors import OutputError, VideoError  # noqa: E402
from segruntime.jobs import cuts, executors, worker  # noqa: E402
from segruntime.jobs.cuts import WARM_UP, spans_of  # noqa: E402
from segruntime.jobs.join import Part, decoding_times, join  # noqa: E402
from segruntime.jobs.unit import Outcome, Unit  # noqa: E402
from segruntime.run import command  # noqa: E402
from segruntime.run.video.encoder import VideoEncoder  # noqa: E402
from segruntime.run.video.packet_times import PacketTimes, packet_times  # noqa: E402
from segruntime.run.video.segment_sink import SegmentSink  # noqa: E402

KEYFRAMES = {"preset": "ultrafast", "g": "40", "keyint_min": "40", "sc_threshold": "0", "bf": "2", "crf": "20"}
_X265 = "log-level=none:keyint=25:min-keyint=25:bframes=0"


def still(i: int, width: int, height: int) -> Any:
    """A person who hardly moves: what the masks were before goes on to count."""
    return cv2.add(person(width, height), np.full((height, width, 3), i % 3, np.uint8))


@pytest.fixture
def long_clip(tmp_path: Path) -> Path:
    return make(tmp_path / "long.mp4", frames=200, options=KEYFRAMES, sound=["aac"], draw=still)


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, list[Any]]]:
    """What goes to an encoder: the planes of each frame by its time."""
    told: dict[int, list[Any]] = {}
    encode = VideoEncoder.__call__

    def noted(self: Any, finished: Any) -> Any:
        assert finished.frame.pts not in told, "a frame is encoded once"
        told[finished.frame.pts] = [np.array(plane) for plane in finished.pixels]
        return encode(self, finished)

    monkeypatch.setattr(VideoEncoder, "__call__", noted)
    return told


def furthest(one: dict[int, list[Any]], other: dict[int, list[Any]]) -> int:
    """The largest difference between the same samples of the same frames."""
    assert one.keys() == other.keys()
    return max(int(cv2.absdiff(a, b).max()) for time in one for a, b in zip(one[time], other[time], strict=True))


def whole(composed: dict[int, list[Any]], run: Any) -> dict[int, list[Any]]:
    composed.clear()
    run()
    return dict(composed)


@pytest.mark.parametrize("preset", ["balanced", "best"])
def test_the_composites_of_segments_are_those_of_one_run(
    preset: str, long_clip: Path, tmp_path: Path, job: RunJob, flickering: Flickering, composed: Any
) -> None:
    one = whole(composed, lambda: job(long_clip, tmp_path / "one.mp4", preset=preset, is_resumed=True))
    cut = whole(composed, lambda: job(long_clip, tmp_path / "cut.mp4", preset=preset, segment_s=3))
    assert flickering.seen > 400, "the warm-up's frames are masked too"
    assert furthest(one, cut) <= 1


def test_without_a_warm_up_they_would_not_be(
    long_clip: Path, tmp_path: Path, job: RunJob, flickering: Flickering, composed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = whole(composed, lambda: job(long_clip, tmp_path / "one.mp4", preset="best", is_resumed=True))
    monkeypatch.setattr(cuts, "WARM_UP", 0)
    cut = whole(composed, lambda: job(long_clip, tmp_path / "cut.mp4", preset="best", segment_s=3))
    assert flickering.seen == 400
    assert furthest(one, cut) > 1


@pytest.mark.parametrize("words", [{"every": 7}, {"background": "clip"}], ids=["every", "video behind"])
def test_what_counts_frames_or_time_counts_from_the_start_of_the_whole(
    words: dict[str, Any], long_clip: Path, tmp_path: Path, job: RunJob, flickering: Flickering, composed: Any
) -> None:
    if "background" in words:
        words = {"background": str(make(tmp_path / "behind.mp4", frames=17, rate=Fraction(10)))}
    one = whole(composed, lambda: job(long_clip, tmp_path / "one.mp4", **words, is_resumed=True))
    cut = whole(composed, lambda: job(long_clip, tmp_path / "cut.mp4", **words, segment_s=3))
    assert furthest(one, cut) <= 1


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov", "out.webm"])
def test_frames_have_their_times_and_sound_its_packets(
    name: str, long_clip: Path, tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    one, cut = tmp_path / f"one{name[3:]}", tmp_path / name
    job(long_clip, one, is_resumed=True)
    assert job(long_clip, cut, segment_s=2).exit_code == 0
    assert times(cut) == times(one)
    assert len(times(cut)) == 200
    (before,), (after,) = packets(one), packets(cut)
    assert after == before


def test_each_segment_begins_with_a_frame_that_needs_no_other(
    long_clip: Path, tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    job(long_clip, tmp_path / "out.mp4", segment_s=3, encoder={"preset": "medium"})
    starts = [span.start for span in spans_of(packet_times(str(long_clip)), 3)]
    assert len(starts) == 3
    keyed = [frame.pts for frame in frames(tmp_path / "out.mp4") if frame.key_frame]
    assert set(starts) <= set(keyed)


def test_times_of_a_variable_rate_are_kept(tmp_path: Path, job: RunJob, flickering: Flickering) -> None:
    at = np.cumsum(np.random.default_rng(3).integers(300, 9000, 160)).tolist()
    clip = make(tmp_path / "vfr.mp4", times=at, frames=160, time_base=Fraction(1, 90000), options=KEYFRAMES)
    job(clip, tmp_path / "out.mp4", segment_s=2)
    assert times(tmp_path / "out.mp4") == times(clip)


@pytest.mark.parametrize("start", [5000, -300])
def test_a_video_that_does_not_begin_at_zero(start: int, tmp_path: Path, job: RunJob, flickering: Flickering) -> None:
    clip = make(tmp_path / "offset.mkv", frames=120, start=start, options={**KEYFRAMES, "bf": "0"})
    job(clip, tmp_path / "one.mkv", is_resumed=True)
    job(clip, tmp_path / "out.mkv", segment_s=2)
    assert times(tmp_path / "out.mkv") == times(tmp_path / "one.mkv")


def test_transparency_goes_through_segments(
    tmp_path: Path, job: RunJob, long_clip: Path, flickering: Flickering
) -> None:
    job(long_clip, tmp_path / "out.webm", background="transparent", segment_s=3)
    with av.open(str(tmp_path / "out.webm")) as container:
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        made = [f for packet in container.demux(video=0) for f in decoder.decode(packet if packet.size else None)]
    assert {frame.format.name for frame in made} == {"yuva420p"}
    assert len(made) == 200


def test_a_transport_stream_is_cut_too(tmp_path: Path, job: RunJob, flickering: Flickering) -> None:
    clip = make(tmp_path / "in.ts", frames=160, options=KEYFRAMES, sound=["aac"])
    summary = job(clip, tmp_path / "out.mp4", segment_s=3)
    assert summary.exit_code == 0
    assert not summary.notes
    step_s = Fraction(1, 25)
    at = times(tmp_path / "out.mp4")
    assert len(at) == 160
    assert {b - a for a, b in pairwise(at)} == {step_s}


# ── where it is cut ───────────────────────────────────────────────────────────────────────────────────────────────────


def found(times_: list[int], keyframes: list[int], **words: Any) -> PacketTimes:
    return PacketTimes(
        times=times_, keyframes=keyframes, time_base=Fraction(1, 10), **{"leading": 0, "trouble": None, **words}
    )


def test_cuts_lie_at_keyframes_that_are_far_enough_apart() -> None:
    cut = spans_of(found([*range(300)], [0, 40, 50, 99, 100, 180, 290]), 5)
    assert [span.start for span in cut] == [0, 50, 100, 180]
    assert [span.end for span in cut] == [50, 100, 180, None]
    assert [span.frames for span in cut] == [50, 50, 80, 120]


def test_a_warm_up_begins_so_many_frames_earlier_and_decoding_at_the_keyframe_before() -> None:
    cut = spans_of(found([*range(400)], [0, 60, 120, 200]), 20)[-1]
    assert (cut.start, cut.warm_up, cut.first, cut.keyframe) == (200, 200 - WARM_UP, 200 - WARM_UP, 120)


def test_a_warm_up_begins_where_the_network_runs() -> None:
    cut = spans_of(found([*range(400)], [0, 200]), 10, every=15)[-1]
    assert cut.first == 135
    assert cut.warm_up == 135


def test_frames_that_an_edit_list_hides_are_no_frames_and_nothing_else_is_lost(
    tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    made = make(tmp_path / "in.mp4", frames=160, options=KEYFRAMES)
    clip = tmp_path / "edited.mp4"
    with av.open(str(made)) as source, av.open(str(clip), "w") as target:  # the first 5 frames before time 0
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.pts, packet.dts = packet.pts - 5 * 512, packet.dts - 5 * 512
                packet.stream = stream
                target.mux(packet)
    assert len(times(clip)) == 155
    job(clip, tmp_path / "one.mp4", is_resumed=True)
    job(clip, tmp_path / "out.mp4", segment_s=2)
    assert times(tmp_path / "out.mp4") == times(tmp_path / "one.mp4") == times(clip)


def test_the_end_of_a_video_that_is_short_is_no_segment() -> None:
    assert [span.end for span in spans_of(found([*range(124)], [0, 60, 120]), 6)] == [60, None]


def test_frames_before_the_first_keyframe_may_be_missing() -> None:
    cut = spans_of(found([8, 9, *range(10, 100)], [10, 50], leading=2), 3)
    assert [cut[0].complaint(count) is None for count in (37, 38, 40, 42, 43)] == [False, False, True, True, False]


@pytest.mark.parametrize(
    ("clip", "trouble"),
    [
        ({"codec": "libvpx", "options": {}, "path": "in.webm"}, "packets of vp8 need not be frames"),
        ({"path": "in.h264", "format": "h264"}, "of its packets have no time"),
    ],
    ids=["vp8", "raw"],
)
def test_a_video_that_cannot_be_cut_is_done_in_one_piece_and_a_line_says_so(
    clip: dict[str, Any], trouble: str, tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    words = {"frames": 60, **clip}
    path = make(tmp_path / words.pop("path"), **words)
    summary = job(path, tmp_path / "out.mp4", segment_s=1)
    assert summary.exit_code == 0
    assert any(trouble in note and str(path) in note for note in summary.notes), summary.notes
    assert len(frames(tmp_path / "out.mp4")) == 60


# ── the join ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_decoding_times_rise_and_are_never_after_the_frame_is_shown() -> None:
    shown = [0, 40, 20, 30, 80, 60, 70, 100, 90]
    decoded = decoding_times(shown)
    assert all(a < b for a, b in pairwise(decoded))
    assert all(a <= b for a, b in zip(decoded, shown, strict=True))
    assert decoding_times([3, 5, 9]) == [3, 5, 9]
    assert decoding_times([]) == []


def test_a_segment_with_another_number_of_frames_is_an_error_and_no_video(long_clip: Path, tmp_path: Path) -> None:
    part = make(tmp_path / "part.mkv", frames=10)
    with pytest.raises(VideoError, match="holds 10 frames, expected 12"):
        join(str(long_clip), [Part(path=part, start=0, frames=12)], tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_a_segment_that_loses_a_frame_fails_its_video(
    long_clip: Path, tmp_path: Path, job: RunJob, flickering: Flickering, monkeypatch: pytest.MonkeyPatch
) -> None:
    def losing(options: Any, **words: Any) -> Any:
        made = command.run(options, **words)
        return (
            made if options.span.start else type(made)(**{n: getattr(made, n) for n in made.__slots__} | {"frames": 79})
        )

    monkeypatch.setattr(worker, "run", losing)
    summary = job(long_clip, tmp_path / "out.mp4", segment_s=3)
    assert summary.exit_code == 1
    assert len(summary.errors) == 1
    assert "segment 1: 79 frames came out of it, 80 are in the file; run it without --segment" in summary.errors[0]
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("name", "words", "clip"),
    [
        ("out.mp4", {}, {}),
        ("out.mov", {"background": "transparent"}, {}),
        ("out.mp4", {"hdr": "keep"}, {"codec": "libx265", "pixels": "yuv420p10le", "options": {"x265-params": _X265}}),
    ],
    ids=["H.264", "ProRes", "HEVC"],
)
def test_players_see_the_same_codec_and_colours_as_of_one_run(
    name: str, words: dict[str, Any], clip: dict[str, Any], tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    path = make(tmp_path / "in.mp4", **{"frames": 60, "options": KEYFRAMES, "matrix": 1, **clip})
    job(path, tmp_path / f"one{name[3:]}", is_resumed=True, **words)
    job(path, tmp_path / name, segment_s=1, **words)
    assert described(tmp_path / name) == described(tmp_path / f"one{name[3:]}")


def described(path: Path) -> list[Any]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        colours = context.colorspace, context.color_range, context.color_primaries, context.color_trc
        return [
            context.name,
            context.codec_tag,
            context.pix_fmt,
            stream.time_base,
            stream.frames,
            stream.duration,
            colours,
        ]


def test_what_other_workers_write_is_still_there_when_a_video_becomes_whole(
    long_clip: Path, tmp_path: Path, job: RunJob, flickering: Flickering, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Beside:
        """As if another worker had one draft in work, and another one finished."""

        def __init__(self, work: worker.Work) -> None:
            self._work = work

        def run(self, units: Iterator[Unit]) -> Iterator[Outcome]:
            others = [Path(self._work.drafts) / name for name in (".other.x1.mp4", "other.mp4")]
            for other in others:
                other.touch()
            for outcome in worker.UnitWorker(self._work).run(units):
                yield outcome
                assert all(other.exists() for other in others)

    monkeypatch.setitem(executors.ENGINES, "local", lambda work, _crew: Beside(work))
    assert job(long_clip, tmp_path / "out.mp4", segment_s=3).exit_code == 0
    assert len(times(tmp_path / "out.mp4")) == 200


def test_a_disk_that_is_full_at_a_segment_ends_the_job_and_it_goes_on_from_there(
    tmp_path: Path, job: RunJob, flickering: Flickering, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make(tmp_path / "long.mp4", frames=360, options=KEYFRAMES)
    out, made = tmp_path / "out.mp4", 0
    mux = SegmentSink._mux

    def until_full(self: Any, packets_: Any) -> None:
        nonlocal made
        made += 1
        if made > 6 * 41:  # in the seventh segment of 40 frames and a flush
            raise OSError(28, "No space left on device")
        mux(self, packets_)

    with monkeypatch.context() as patch:
        patch.setattr(SegmentSink, "_mux", until_full)
        refusal(OutputError, job, clip, out, match=r"No space left on device\).*same command goes on", segment_s=1)
    assert not out.exists()
    units = tmp_path / ".out.mp4.segrun" / "units"
    assert len(list(units.iterdir())) == 6, "what is done stays, and nothing half"
    before = flickering.seen
    assert job(clip, out, segment_s=1).exit_code == 0
    assert flickering.seen - before == 3 * (40 + WARM_UP)
    assert times(out) == times(clip)


def test_packets_before_the_first_keyframe_are_nobodys(tmp_path: Path, job: RunJob, flickering: Flickering) -> None:
    made = make(tmp_path / "in.mkv", frames=160, options=KEYFRAMES)
    clip = tmp_path / "mein Vidéo №1 日本.mkv"
    with av.open(str(made)) as source, av.open(str(clip), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.size and number > 11:  # as a recording that begins in the middle of a broadcast
                packet.stream = stream
                target.mux(packet)
    job(clip, tmp_path / "one.mkv", is_resumed=True)
    summary = job(clip, tmp_path / "out.mkv", segment_s=1)
    assert summary.exit_code == 0
    assert times(tmp_path / "out.mkv") == times(tmp_path / "one.mkv")
    assert len(times(tmp_path / "out.mkv")) >= 120


def test_a_video_of_a_folder_has_the_same_name_however_often_the_job_is_begun(
    tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    make(folder / "talk.ts", frames=160, options=KEYFRAMES)

    def after_a_segment(progress: Any) -> None:
        raise KeyboardInterrupt

    assert job(folder, tmp_path / "out", segment_s=2, watch=after_a_segment).is_interrupted
    (tmp_path / "out/talk.mp4").write_text("mine")
    refusal(
        OutputError, job, folder, tmp_path / "out", segment_s=2, match=r"talk\.mp4: is there already, and not of this"
    )
    (tmp_path / "out/talk.mp4").unlink()
    assert job(folder, tmp_path / "out", segment_s=2).exit_code == 0
    assert [path.name for path in (tmp_path / "out").glob("*.*") if path.is_file()] == ["talk.mp4"]
