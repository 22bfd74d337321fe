"""Two fields of different moments in a frame: no comb is left, and every frame stays, at its time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.video.clips import Frame, av, frames, make, planes, times

from segruntime.run.statistics import Statistics
from segruntime.run.video.deinterlace import Deinterlacer
from segruntime.run.video.source import VideoSource

Run = Callable[..., Statistics]
SAID = "the input is interlaced: each frame's missing lines were made new (bwdif), one frame for each"
WIDTH, HEIGHT = 192, 96
FLAGS = {"flags": "+ilme+ildct"}


def moment(t: int) -> Frame:
    """A light bar before a dark wall that moves by 4 pixels from one moment to the next, `(96, 192) uint8`."""
    picture = np.full((HEIGHT, WIDTH), 40, np.uint8)
    picture[8:88, 20 + 4 * t : 44 + 4 * t] = 200
    return picture


def woven(i: int, top_first: bool) -> Frame:
    """Frame `i` of an interlaced camera: its two fields are moments 2i and 2i + 1."""
    picture = moment(2 * i + (0 if top_first else 1))
    picture[1::2] = moment(2 * i + (1 if top_first else 0))[1::2]
    return picture


def make_interlaced(
    path: Path, codec: str, top_first: bool, count: int = 10, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Path:
    """`woven` frames, flagged by libavfilter's setfield, as broadcasts and tapes flag theirs."""
    width, height = size
    graph = av.filter.Graph()
    begin = graph.add_buffer(width=width, height=height, format="yuv420p", time_base=Fraction(1, 25))
    flags = graph.add("setfield", f"mode={'tff' if top_first else 'bff'}")
    end = graph.add("buffersink")
    begin.link_to(flags)
    flags.link_to(end)
    graph.configure()
    options = {**FLAGS, **({"crf": "4", "preset": "ultrafast"} if codec == "libx264" else {"qmin": "1", "qmax": "2"})}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for i in range(count):
            frame = av.VideoFrame(width, height, "yuv420p")
            y, u, v = (np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size) for plane in frame.planes)
            y[:height, :width], u[:], v[:] = woven(i, top_first)[:height, :width], 128, 128
            frame.pts, frame.time_base = i, Fraction(1, 25)
            graph.push(frame)
            container.mux(stream.encode(graph.pull()))
        container.mux(stream.encode(None))
    return path


def comb(luma: Any) -> float:
    """How much rows differ from both their neighbours, in the rows of the bar: 0 where fields are of one moment."""
    rows = luma[16:80].astype(int)
    return float(np.abs(2 * rows[1:-1] - rows[:-2] - rows[2:]).mean())


def bar(luma: Any) -> int:
    """The column in the middle of the light."""
    return int(np.flatnonzero(luma[48] > 120).mean())


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize(("name", "codec"), [("in.mpg", "mpeg2video"), ("in.ts", "libx264"), ("in.mp4", "libx264")])
@pytest.mark.parametrize("top_first", [True, False], ids=["top", "bottom"])
def test_the_combs_are_gone(name: str, codec: str, top_first: bool, tmp_path: Path, segrun: Run) -> None:
    clip = make_interlaced(tmp_path / name, codec, top_first)
    before = frames(clip)
    assert all(frame.interlaced_frame for frame in before)
    statistics = segrun(clip, tmp_path / "out.mp4")
    after = frames(tmp_path / "out.mp4")
    assert statistics.notes == [SAID]
    assert statistics.frames == len(after) == len(before) == 10
    assert not any(frame.interlaced_frame for frame in after)
    first = times(clip)[0]
    assert [time - times(tmp_path / "out.mp4")[0] for time in times(tmp_path / "out.mp4")] == [
        time - first for time in times(clip)
    ]
    for i, (old, new) in enumerate(zip(before, after, strict=True)):
        combed, whole = comb(planes(old)[0]), comb(planes(new)[0])
        assert combed > 12  # 8 of 192 columns jump by 160 from row to row, which counts twice
        assert whole < combed / 5
        if 1 <= i < 9:  # the frame is that of its earlier field
            assert abs(bar(planes(new)[0]) - bar(moment(2 * i))) <= 3


@pytest.mark.usefixtures("everywhere")
def test_progressive_frames_between_stay_as_they_are(tmp_path: Path, segrun: Run) -> None:
    """As broadcasts change between a film and a studio. Only MPEG-2 has that within one stream."""
    parts = [
        make(
            tmp_path / "film.ts",
            frames=16,
            size=(WIDTH, HEIGHT),
            codec="mpeg2video",
            options={"qmin": "1", "qmax": "2", "bf": "0"},
            draw=lambda i, *_: np.repeat(moment(i)[..., None], 3, -1),
        ),
        make_interlaced(tmp_path / "studio.ts", "mpeg2video", True, 16),
    ]
    clip = tmp_path / "in.ts"
    clip.write_bytes(b"".join(part.read_bytes() for part in (parts[0], parts[1], parts[0])))
    decoded = frames(clip)
    flagged = [frame.interlaced_frame for frame in decoded]
    assert flagged == [False] * 16 + [True] * 16 + [False] * 16
    source = VideoSource(str(clip))
    made = list(source)
    assert source.problems(len(made)) == [SAID]
    source.close()
    assert len(made) == 48
    for is_interlaced, old, new in zip(flagged, decoded, made, strict=True):
        if is_interlaced:
            assert comb(new.pixels[0]) < comb(planes(old)[0]) / 4
        else:
            assert all(np.array_equal(ours, theirs) for ours, theirs in zip(new.pixels, planes(old), strict=True))


@pytest.mark.usefixtures("everywhere")
def test_the_sound_stays_where_it_was(tmp_path: Path, segrun: Run) -> None:
    clip = tmp_path / "in.mkv"
    make_interlaced(tmp_path / "video.mkv", "mpeg2video", True, 30)
    make(tmp_path / "sound.mkv", frames=30, sound=["aac"])
    with (
        av.open(str(clip), "w") as out,
        av.open(str(tmp_path / "video.mkv")) as video,
        av.open(str(tmp_path / "sound.mkv")) as sound,
    ):
        streams = [
            out.add_stream_from_template(video.streams.video[0]),
            out.add_stream_from_template(sound.streams.audio[0]),
        ]
        read = [*video.demux(video=0), *sound.demux(audio=0)]
        for packet in sorted((p for p in read if p.dts is not None), key=lambda p: p.dts * p.time_base):
            packet.stream = streams[packet.stream.type == "audio"]
            out.mux(packet)
    segrun(clip, tmp_path / "out.mkv")
    with av.open(str(clip)) as old, av.open(str(tmp_path / "out.mkv")) as new:
        before, after = ([(p.pts, bytes(p)) for p in one.demux(audio=0) if p.size] for one in (old, new))
    assert after == before


def test_what_comes_out_depends_on_the_frames_next_to_it_alone(tmp_path: Path) -> None:
    """So a part of a video gives the same frames as the whole; without the first, which has none before it."""
    clip = make_interlaced(tmp_path / "in.mkv", "mpeg2video", True)
    whole, part = (list(Deinterlacer()(shown_from(clip, start))) for start in (0, 4))
    assert len(part) == 6
    assert [time for _, time in part] == [time for _, time in whole[4:]]
    for (ours, _), (theirs, _) in zip(part[1:], whole[5:], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(planes(ours), planes(theirs), strict=True))


def shown_from(clip: Path, start: int) -> Iterator[tuple[Any, int]]:
    return ((frame, frame.pts) for frame in frames(clip)[start:])


@pytest.mark.parametrize("size", [(16, 16), (6, 4), (4, 4)])
def test_small_frames_go_through_or_by(size: tuple[int, int], tmp_path: Path) -> None:
    clip = make_interlaced(tmp_path / "in.mkv", "mpeg2video", True, 3, size)
    assert len(list(Deinterlacer()(shown_from(clip, 0)))) == 3


def test_a_size_that_changes_between_interlaced_frames_loses_none(tmp_path: Path) -> None:
    parts = [
        make_interlaced(tmp_path / f"{k}.ts", "mpeg2video", True, 16, size)
        for k, size in enumerate([(WIDTH, HEIGHT), (96, 64)])
    ]
    (tmp_path / "in.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    source = VideoSource(str(tmp_path / "in.ts"))
    made = list(source)
    source.close()
    assert [frame.size for frame in made] == [(HEIGHT, WIDTH)] * len(frames(tmp_path / "in.ts"))
    assert len(made) >= 31  # ffmpeg's decoder keeps the last of the old size to itself
    assert max(comb(frame.pixels[0]) for frame in made) < 6
