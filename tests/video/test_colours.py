"""Colours through the chain: the stream's tags are kept, and mean the same before and after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.video.clips import SHARED, Frame, av, frames, make, planes

from segruntime.run.planes import (
    BT601,
    BT709,
    FULL,
    LIMITED,
    ColorTags,
    bgr_to_planes,
    colour_to_planes,
    planes_to_bgr,
    settled_tags,
)
from segruntime.run.statistics import Statistics

Run = Callable[..., Statistics]
SWSCALE = {BT709: "ITU709", 5: "ITU601", BT601: "ITU601"}  # 5 and 6 are the same weights
ALL_TAGS = [(matrix, range_) for matrix in (BT601, BT709) for range_ in (LIMITED, FULL)]
COLOUR = (200, 90, 60)  # b, g, r: every matrix and range gives it other numbers


def as_seen(frame: Any, matrix: int, range_: int) -> Frame:
    """Decoded frame → BGR by swscale, told what the numbers mean."""
    rgb = frame.reformat(format="bgr24", src_colorspace=SWSCALE[matrix], src_color_range=range_, dst_color_range=FULL)
    return np.asarray(rgb.to_ndarray())


def flat(i: int, width: int, height: int) -> Frame:
    return np.full((height, width, 3), COLOUR, np.uint8)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(("matrix", "range_"), ALL_TAGS)
@pytest.mark.parametrize("ending", [".mp4", ".webm"])
def test_a_colour_behind_has_that_colour_and_the_tags_are_kept(
    matrix: int, range_: int, ending: str, tmp_path: Path, segrun: Run
) -> None:
    clip = make(tmp_path / "in.mp4", frames=3, matrix=matrix, range=range_)
    segrun(clip, tmp_path / f"out{ending}", "#3c5ac8")
    for frame in frames(tmp_path / f"out{ending}"):
        assert (frame.colorspace, frame.color_range) == (matrix, range_)
        assert np.abs(as_seen(frame, matrix, range_).astype(int) - COLOUR).max() <= 2


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(("size", "matrix"), [((1280, 720), BT709), ((320, 240), BT601)])
def test_a_stream_without_tags_is_taken_and_tagged_by_its_size(
    size: tuple[int, int], matrix: int, tmp_path: Path, segrun: Run
) -> None:
    clip = make(tmp_path / "in.mp4", frames=2, size=size)
    assert frames(clip)[0].colorspace == 2
    segrun(clip, tmp_path / "out.mp4", "#3c5ac8")
    frame = frames(tmp_path / "out.mp4")[0]
    assert (frame.colorspace, frame.color_range) == (matrix, LIMITED)
    assert np.abs(as_seen(frame, matrix, LIMITED).astype(int) - COLOUR).max() <= 2


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize(
    ("name", "codec", "pixels", "size", "words"),
    [
        ("in.mkv", "ffv1", "bgr0", (320, 240), {}),
        ("in.mkv", "ffv1", "bgr0", (1280, 720), {}),
        ("in.mov", "qtrle", "argb", (1280, 720), {}),
        ("in.avi", "mjpeg", "yuvj420p", (320, 240), {}),
        ("in.avi", "mjpeg", "yuvj422p", (320, 240), {}),
        ("in.avi", "mjpeg", "yuvj444p", (1280, 720), {"matrix": BT601}),
        ("in.mkv", "libx264", "yuv444p", (320, 240), {"matrix": BT709, "range": FULL}),
        ("in.mkv", "libx264", "yuv422p", (320, 240), {"matrix": BT601, "range": LIMITED}),
        ("in.mkv", "libx264", "yuv420p10le", (320, 240), {"matrix": BT709, "range": LIMITED}),
        ("in.mkv", "libx264", "yuv420p10le", (320, 240), {"matrix": BT601, "range": FULL}),
    ],
    ids=lambda value: str(value).replace(" ", ""),
)
def test_other_pixel_formats_keep_their_colours(
    name: str, codec: str, pixels: str, size: tuple[int, int], words: dict[str, Any], tmp_path: Path, segrun: Run
) -> None:
    options = {"crf": "8"} if codec == "libx264" else {"qmin": "1", "qmax": "2"} if codec == "mjpeg" else {}
    clip = make(tmp_path / name, frames=2, codec=codec, pixels=pixels, size=size, options=options, draw=flat, **words)
    segrun(clip, tmp_path / "out.mp4")
    frame = frames(tmp_path / "out.mp4")[1]
    assert frame.format.name == ("yuvj420p" if frame.color_range == FULL else "yuv420p")
    seen = as_seen(frame, frame.colorspace, frame.color_range)
    assert np.abs(seen.mean((0, 1)) - COLOUR).max() <= 4  # two codecs and a conversion of 8 bits lie between


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("size", [(320, 240), (1280, 720)])
def test_other_subsampling_without_tags_keeps_its_numbers(size: tuple[int, int], tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mkv", frames=2, pixels="yuv444p", size=size, options={"crf": "8"}, draw=flat)
    segrun(clip, tmp_path / "out.mp4")
    for ours, theirs in zip(planes(frames(tmp_path / "out.mp4")[1]), planes(frames(clip)[1]), strict=True):
        assert abs(ours.mean() - theirs.mean()) <= 1


@pytest.mark.parametrize(("matrix", "range_"), ALL_TAGS)
def test_planes_and_bgr_agree_with_swscale(matrix: int, range_: int) -> None:
    """Both round to 8 bits three times; two steps of 255 are the bound for planes."""
    y, x = np.mgrid[:96, :128] / 25
    waves = np.stack([np.sin(x + 1), np.cos(y - x / 2), np.sin(y + x / 3 + 2)], -1)  # smooth, and of many colours
    bgr = np.rint(128 + 110 * waves).astype(np.uint8)
    tags = ColorTags(matrix=matrix, range=range_)
    ours = bgr_to_planes(bgr, tags)
    theirs = av.VideoFrame.from_ndarray(bgr, "bgr24").reformat(
        format="yuv420p",
        dst_colorspace=SWSCALE[matrix],
        src_color_range=FULL,
        dst_color_range=range_,
        interpolation="AREA",
    )
    for mine, other in zip(ours, planes(theirs), strict=True):
        assert np.abs(mine.astype(int) - other).max() <= 2
    back = planes_to_bgr(ours, tags, bgr.shape[:2])
    inner = np.s_[2:-2, 2:-2]
    assert np.abs(back.astype(int) - bgr)[inner].mean() <= 1
    # swscale's fast path cuts fractions off and repeats chroma; another matrix or range would give 10 and more
    assert np.abs(back.astype(int) - as_seen(theirs, matrix, range_))[inner].mean() <= 3


@pytest.mark.parametrize(
    ("matrix", "range_", "expected"),
    [  # H.273, 8.3, by hand: Y = 16 + 219 Kr, Cb = 128 - 224 Kr / (2 (1 - Kb)), Cr = 128 + 112
        (BT601, LIMITED, (81, 90, 240)),
        (BT709, LIMITED, (63, 102, 240)),
        (BT601, FULL, (76, 85, 255)),
        (BT709, FULL, (54, 99, 255)),
    ],
)
def test_pure_red_in_numbers(matrix: int, range_: int, expected: tuple[int, int, int]) -> None:
    assert colour_to_planes((0, 0, 255), ColorTags(matrix=matrix, range=range_)) == expected


def test_tags_that_say_nothing_are_settled_and_others_stay() -> None:
    nothing = ColorTags(matrix=2, range=0, primaries=9, transfer=16)
    assert settled_tags(nothing, 719) == ColorTags(matrix=BT601, range=LIMITED, primaries=9, transfer=16)
    assert settled_tags(nothing, 720).matrix == BT709
    told = ColorTags(matrix=9, range=FULL)
    assert settled_tags(told, 100) == told


# pictures that the network is sure of: in picture 7 the rounding to YUV and back alone moves the mask by 1 %
@pytest.mark.parametrize("which", [0, 20, 40])
def test_the_chain_finds_the_same_person_in_planes_as_in_bgr(which: int, tmp_path: Path, segrun: Run) -> None:
    folder = SHARED / "data" / "portraits" / "calibration" / "images"
    if not folder.is_dir():
        pytest.skip("the portraits are not there; a drawn face is nobody to the network")
    picture = cv2.imread(str(sorted(folder.iterdir())[which]))
    assert picture is not None
    height, width = picture.shape[:2]
    cv2.imwrite(str(tmp_path / "in.png"), picture)
    clip = make(
        tmp_path / "in.mkv",
        frames=1,
        size=(width, height),
        pixels="yuv444p",
        matrix=BT601,
        range=FULL,
        draw=lambda *_: picture,
        options={"qp": "0"},
    )
    segrun(tmp_path / "in.png", tmp_path / "still.png", "alpha", preset="balanced")
    segrun(clip, f"{tmp_path}/frames/", "alpha", preset="balanced")
    still = cv2.imread(str(tmp_path / "still.png"), cv2.IMREAD_GRAYSCALE)
    frame = cv2.imread(str(tmp_path / "frames" / "frame_000001.png"), cv2.IMREAD_GRAYSCALE)
    assert still is not None
    assert frame is not None
    assert 0.2 < (still > 127).mean() < 0.7
    both, either = (still > 127) & (frame > 127), (still > 127) | (frame > 127)
    assert both.sum() / either.sum() >= 0.99
