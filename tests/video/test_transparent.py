"""Nothing behind the person: WebM, Matroska and ProRes with alpha, numbered PNGs, stills; and the mask alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.video.clips import av, frames, make, packets, planes, times

from segruntime.errors import OptionError
from segruntime.run.statistics import Statistics

pytestmark = pytest.mark.usefixtures("left")
Run = Callable[..., Statistics]
Refuses = Callable[..., None]


def decoded_with_alpha(path: Path) -> list[Any]:
    """FFmpeg's own VP9 decoder drops alpha; libvpx keeps it."""
    decoder = av.CodecContext.create("libvpx-vp9", "r")
    with av.open(str(path)) as container:
        found = [frame for packet in container.demux(video=0) if packet.size for frame in decoder.decode(packet)]
    return [*found, *decoder.decode(None)]


def assert_left_half(alpha: Any) -> None:
    """255 left of the middle, 0 right of it, soft between; codecs may be one step of a plane off."""
    width = alpha.shape[1]
    scale = 255 if alpha.dtype == np.uint8 else 65535
    assert alpha[:, : width * 3 // 8].min() >= scale * 0.97
    assert alpha[:, width * 5 // 8 :].max() <= scale * 0.03


@pytest.mark.parametrize("name", ["out.webm", "out.mkv"])
def test_vp9_with_alpha(name: str, tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mkv", frames=6, sound=["libopus"])
    segrun(clip, tmp_path / name, "transparent")
    out = decoded_with_alpha(tmp_path / name)
    assert [frame.format.name for frame in out] == ["yuva420p"] * 6
    for frame, source in zip(out, frames(clip), strict=True):
        y, u, v, alpha = planes(frame)
        assert_left_half(alpha)
        for ours, theirs in zip((y, u, v), planes(source), strict=True):
            assert np.abs(ours.astype(int) - theirs).mean() < 3  # what is behind stays in the file, so edges stay clean
    with av.open(str(tmp_path / name)) as container:
        assert container.streams.video[0].metadata["alpha_mode"] == "1"
    assert packets(tmp_path / name) == packets(clip)
    assert times(tmp_path / name) == times(clip)


def test_prores_4444_with_alpha(tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mp4", frames=4, sound=["aac"], matrix=1, range=1)
    segrun(clip, tmp_path / "out.mov", "transparent")
    out = frames(tmp_path / "out.mov")
    assert len(out) == 4
    for frame, source in zip(out, frames(clip), strict=True):
        assert frame.format.name.startswith("yuva444p1")
        y, _, _, alpha = planes(frame.reformat(format="yuva444p"))
        assert_left_half(alpha)
        assert np.abs(y.astype(int) - planes(source)[0]).mean() < 3
    with av.open(str(tmp_path / "out.mov")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "ap4h"
        assert container.streams.video[0].codec_context.colorspace == 1
    assert packets(tmp_path / "out.mov") == packets(clip)


@pytest.mark.parametrize(
    ("output", "names"),
    [
        ("frames/", ["frame_000001.png", "frame_000002.png", "frame_000003.png"]),
        ("frames", ["frame_000001.png", "frame_000002.png", "frame_000003.png"]),
        ("new/deep/%05d.png", ["00001.png", "00002.png", "00003.png"]),
        ("100%/shot%d.png", ["shot1.png", "shot2.png", "shot3.png"]),
    ],
)
def test_numbered_pngs(output: str, names: list[str], tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mp4", frames=3)
    segrun(clip, f"{tmp_path}/{output}", "transparent")
    folder = tmp_path / (Path(output).parent if "%" in Path(output).name else output)
    assert sorted(path.name for path in folder.iterdir()) == names
    for name in names:
        picture = cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED)
        assert picture is not None
        assert picture.shape == (120, 160, 4)
        assert_left_half(picture[..., 3])


@pytest.mark.parametrize("name", ["out.png", "out.webp", "out.tif"])
def test_a_still_with_alpha(name: str, tmp_path: Path, segrun: Run) -> None:
    picture = np.full((90, 120, 3), (10, 200, 60), np.uint8)
    cv2.imwrite(str(tmp_path / "in.png"), picture)
    segrun(tmp_path / "in.png", tmp_path / name, "transparent")
    out = cv2.imread(str(tmp_path / name), cv2.IMREAD_UNCHANGED)
    assert out is not None
    assert_left_half(out[..., 3])
    visible = np.s_[:, :45]
    assert np.abs(out[..., :3].astype(int) - picture)[visible].max() <= 4  # WebP loses a little


@pytest.mark.parametrize(("name", "ending"), [("out.mp4", ".mp4"), ("out.m4v", ".m4v")])
def test_a_video_that_has_no_alpha_is_refused(name: str, ending: str, tmp_path: Path, refuses: Refuses) -> None:
    clip = make(tmp_path / "in.mp4", frames=1)
    said = rf"{ending} has no transparency, expected \.mov, \.mkv, \.webm, or a folder"
    refuses(OptionError, said, clip, tmp_path / name, "transparent")


def test_a_jpeg_has_no_alpha(tmp_path: Path, refuses: Refuses) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), np.zeros((9, 9, 3), np.uint8))
    said = r"\.jpg has no transparency, expected \.png"
    refuses(OptionError, said, tmp_path / "in.png", tmp_path / "out.jpg", "transparent")


@pytest.mark.parametrize("range_", [1, 2])
def test_the_mask_alone_as_a_video_is_gray_from_black_to_white(range_: int, tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mp4", frames=3, range=range_)
    segrun(clip, tmp_path / "out.mp4", "alpha")
    black, white = (16, 235) if range_ == 1 else (0, 255)
    for frame in frames(tmp_path / "out.mp4"):
        y, u, v = planes(frame)
        assert np.abs(y[:, :60].astype(int) - white).max() <= 2
        assert np.abs(y[:, 100:].astype(int) - black).max() <= 2
        assert np.abs(np.stack([u, v]).astype(int) - 128).max() <= 1


def test_the_mask_alone_as_pictures(tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mp4", frames=2)
    segrun(clip, f"{tmp_path}/masks/", "alpha")
    picture = cv2.imread(str(tmp_path / "masks" / "frame_000002.png"), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    assert picture.shape == (120, 160)
    assert_left_half(picture)
