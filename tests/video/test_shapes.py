"""Odd sizes, pixels that are not square, pictures that are to be turned, sizes that change, one frame."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.video.clips import SHARED, Frame, av, corners, frames, make, planes, rotate_tag

from segruntime.run.statistics import Statistics

pytestmark = pytest.mark.usefixtures("everywhere")
Run = Callable[..., Statistics]
QUARTERS = np.array([[40, 100], [160, 220]])  # what clips.corners draws


def quarters(luma: Frame) -> list[list[float]]:
    """The middle of each quarter of a limited-range luma plane as the gray that was drawn."""
    height, width = luma.shape
    rows, columns = (height // 4, height * 3 // 4), (width // 4, width * 3 // 4)
    return [[(float(luma[r - 3 : r + 3, c - 3 : c + 3].mean()) - 16) * 255 / 219 for c in columns] for r in rows]


@pytest.mark.parametrize(("degrees", "turns"), [(90, 3), (180, 2), (270, 1)])
def test_a_rotation_flag_gives_an_upright_picture(degrees: int, turns: int, tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mp4", frames=3, draw=lambda i, w, h: corners(w, h))
    rotate_tag(clip, degrees)
    assert frames(clip)[0].rotation % 360 == (360 - degrees) % 360  # PyAV counts against the clock
    segrun(clip, tmp_path / "out.mp4")
    for frame in frames(tmp_path / "out.mp4"):
        assert frame.rotation == 0
        assert (frame.width, frame.height) == ((120, 160) if degrees != 180 else (160, 120))
        upright = np.rot90(QUARTERS, turns)  # against the clock: 270 degrees of it are 90 with it
        np.testing.assert_allclose(quarters(planes(frame)[0]), upright, atol=3)


def test_a_rotated_video_as_background_is_upright_too(nowhere: object, tmp_path: Path, segrun: Run) -> None:
    behind = make(tmp_path / "behind.mp4", frames=3, draw=lambda i, w, h: corners(w, h))
    rotate_tag(behind, 90)
    clip = make(tmp_path / "in.mp4", frames=3, size=(120, 160))
    segrun(clip, tmp_path / "out.mp4", behind)
    np.testing.assert_allclose(quarters(planes(frames(tmp_path / "out.mp4")[0])[0]), np.rot90(QUARTERS, 3), atol=3)


@pytest.mark.parametrize("size", [(161, 121), (161, 120), (160, 121)])
@pytest.mark.parametrize(
    ("output", "background"), [("out.mp4", "green"), ("out.webm", "green"), ("out.webm", "transparent"), ("f/", "blur")]
)
def test_odd_sizes(size: tuple[int, int], output: str, background: str, tmp_path: Path, segrun: Run) -> None:
    clip = make(
        tmp_path / "in.mkv", frames=2, size=size, codec="libx264", pixels="yuv444p", draw=lambda i, w, h: corners(w, h)
    )
    segrun(clip, f"{tmp_path}/{output}", background)
    if output == "f/":
        picture = cv2.imread(str(tmp_path / "f" / "frame_000002.png"), cv2.IMREAD_GRAYSCALE)
        assert picture is not None
        assert picture.shape == size[::-1]
        np.testing.assert_allclose(quarters((16 + picture * (219 / 255)).astype(np.uint8)), QUARTERS, atol=4)
        return
    frame = frames(tmp_path / output)[1]
    more = [
        side % 2 if output.endswith("mp4") else 0 for side in size
    ]  # H.264 takes even sides: the last is there twice
    assert (frame.width, frame.height) == (size[0] + more[0], size[1] + more[1])
    np.testing.assert_allclose(quarters(planes(frame)[0]), QUARTERS, atol=4)


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p"])
@pytest.mark.parametrize(
    ("size", "what"), [((161, 121), "column and row are"), ((161, 120), "column is"), ((160, 121), "row is")]
)
def test_an_odd_side_is_not_scaled_or_cut(
    size: tuple[int, int], what: str, pixels: str, tmp_path: Path, segrun: Run
) -> None:
    lines = lambda i, w, h: np.repeat((np.indices((h, w)).sum(0) % 7 * 30 + 20).astype(np.uint8)[..., None], 3, -1)  # noqa: E731
    clip = make(tmp_path / "in.mkv", frames=2, size=size, codec="ffv1", pixels=pixels, options={}, draw=lines)
    statistics = segrun(clip, tmp_path / "out.mp4", encoder={"crf": "1", "preset": "ultrafast"})
    (width, height), before = size, planes(frames(clip)[1])[0]
    after = planes(frames(tmp_path / "out.mp4")[1])[0]
    assert np.abs(after[:height, :width].astype(int) - before).max() <= 4
    assert np.abs(after[:height, width:].astype(int) - before[:, -1:]).max(initial=0) <= 4
    assert np.abs(after[height:, :width].astype(int) - before[-1:]).max(initial=0) <= 4
    even = f"{width + width % 2}x{height + height % 2}"
    said = f"{width}x{height} became {even}, for H.264 takes even sides: the last {what} there twice"
    assert said in statistics.notes
    assert not [note for note in segrun(clip, tmp_path / "out.webm").notes if "became" in note]
    np.testing.assert_array_equal(planes(frames(tmp_path / "out.webm")[1])[0].shape, size[::-1])


@pytest.mark.parametrize(("degrees", "expected"), [(0, Fraction(4, 3)), (90, Fraction(3, 4))])
@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_pixels_that_are_not_square_stay_so(
    degrees: int, expected: Fraction, ending: str, tmp_path: Path, segrun: Run
) -> None:
    clip = make(tmp_path / "in.mp4", frames=2, aspect=Fraction(4, 3))
    if degrees:
        rotate_tag(clip, degrees)
    segrun(clip, tmp_path / f"out{ending}")
    with av.open(str(tmp_path / f"out{ending}")) as container:
        assert container.streams.video[0].sample_aspect_ratio == expected


@pytest.mark.parametrize("order", [((160, 120), (320, 180)), ((320, 180), (160, 120))])
def test_a_size_that_changes_on_the_way_is_scaled_to_the_first(
    order: tuple[tuple[int, int], tuple[int, int]], tmp_path: Path, segrun: Run
) -> None:
    parts = [
        make(tmp_path / f"part{k}.ts", frames=20, size=size, draw=lambda i, w, h: corners(w, h)).read_bytes()
        for k, size in enumerate(order)
    ]
    (tmp_path / "in.ts").write_bytes(b"".join(parts))
    assert {(f.width, f.height) for f in frames(tmp_path / "in.ts")} == set(order)
    statistics = segrun(tmp_path / "in.ts", tmp_path / "frames.mkv")
    assert (statistics.frames, statistics.broken) == (40, 0)
    out = frames(tmp_path / "frames.mkv")
    assert len(out) == 40
    for frame in out:
        assert (frame.width, frame.height) == order[0]
        np.testing.assert_allclose(quarters(planes(frame)[0]), QUARTERS, atol=4)


def test_ten_bits_become_eight(tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mkv", frames=3, pixels="yuv420p10le", draw=lambda i, w, h: corners(w, h))
    segrun(clip, tmp_path / "out.mp4")
    out = frames(tmp_path / "out.mp4")
    assert [frame.format.name for frame in out] == ["yuv420p"] * 3
    np.testing.assert_allclose(quarters(planes(out[2])[0]), QUARTERS, atol=3)


@pytest.mark.parametrize("name", ["in.mp4", "in.mkv", "in.webm", "in.ts"])
def test_one_frame(name: str, tmp_path: Path, segrun: Run) -> None:
    video = {"codec": "libvpx-vp9", "options": {}} if name.endswith("webm") else {}
    clip = make(tmp_path / name, frames=1, **video)
    statistics = segrun(clip, tmp_path / "out.mp4")
    assert (statistics.frames, statistics.notes, statistics.flicker) == (1, [], None)
    assert len(frames(tmp_path / "out.mp4")) == 1


def test_the_portrait_format_clip(tmp_path: Path, segrun: Run) -> None:
    clip = SHARED / "video" / "squats.mp4"
    if not clip.is_file():
        pytest.skip("the squats clip is not there")
    assert segrun(clip, tmp_path / "out.mp4").frames == 65
    assert (frames(tmp_path / "out.mp4")[0].width, frames(tmp_path / "out.mp4")[0].height) == (720, 1280)
