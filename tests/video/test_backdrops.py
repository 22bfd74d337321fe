"""What comes behind the person: pictures and videos of another shape, in their own time, colours, the frame blurred."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests import messages
from tests.video.clips import Frame, corners, frames, make, person, planes

from segruntime.errors import MissingExtraError, OptionError, PictureError, VideoError, install_command
from segruntime.run.statistics import Statistics

Run = Callable[..., Statistics]
Refuses = Callable[..., None]


def shade(level: int) -> Callable[[int, int, int], Frame]:
    """Draws frame `i` in gray of `level + 20 * i`."""
    return lambda i, width, height: np.full((height, width, 3), level + 20 * i, np.uint8)


def grays(path: Path) -> list[float]:
    """The mean gray of each frame of a limited-range video."""
    return [(float(planes(frame)[0].mean()) - 16) * 255 / 219 for frame in frames(path)]


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("size", [(400, 120), (160, 500), (640, 480), (40, 30)])
@pytest.mark.parametrize("kind", ["behind.png", "behind.mp4"])
def test_a_background_of_another_shape_covers_the_frame_from_its_middle(
    size: tuple[int, int], kind: str, tmp_path: Path, segrun: Run
) -> None:
    """Where the four quarters of the background meet is its middle, and has to be the middle of the result."""
    behind = tmp_path / kind
    if kind.endswith("png"):
        cv2.imwrite(str(behind), corners(*size))
    else:
        make(behind, frames=2, size=size, draw=lambda i, w, h: corners(w, h))
    clip = make(tmp_path / "in.mp4", frames=2)
    segrun(clip, tmp_path / "out.mp4", behind)
    luma = (planes(frames(tmp_path / "out.mp4")[1])[0].astype(float) - 16) * 255 / 219
    np.testing.assert_allclose(
        [[luma[:55, :75].mean(), luma[:55, 85:].mean()], [luma[65:, :75].mean(), luma[65:, 85:].mean()]],
        [[40, 100], [160, 220]],
        atol=4,
    )
    assert luma.min() > 30  # no border anywhere


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("output", ["out.mp4", "out.mkv", "f/"])
def test_a_shorter_background_video_begins_again(output: str, tmp_path: Path, segrun: Run) -> None:
    behind = make(tmp_path / "behind.mp4", frames=3, draw=shade(60))
    clip = make(tmp_path / "in.mp4", frames=8)
    segrun(clip, f"{tmp_path}/{output}", behind)
    expected = [60, 80, 100, 60, 80, 100, 60, 80]
    if output == "f/":
        found = [float(cv2.imread(str(path))[..., 1].mean()) for path in sorted((tmp_path / "f").iterdir())]
    else:
        found = grays(tmp_path / output)
    assert found == pytest.approx(expected, abs=3)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(
    ("rate", "expected"),
    [(10, [60, 60, 80, 80, 100, 100, 60, 60]), (40, [60, 100, 80, 60, 100, 80, 60, 100])],
    ids=["slower", "faster"],
)
def test_a_background_video_goes_in_its_own_time(rate: int, expected: list[int], tmp_path: Path, segrun: Run) -> None:
    behind = make(tmp_path / "behind.mkv", frames=3, rate=Fraction(rate), draw=shade(60))
    clip = make(tmp_path / "in.mp4", frames=8, rate=Fraction(20))
    segrun(clip, tmp_path / "out.mp4", behind)
    assert grays(tmp_path / "out.mp4") == pytest.approx(expected, abs=3)


@pytest.mark.usefixtures("nowhere")
def test_a_clip_that_starts_late_begins_with_the_first_frame_of_the_background(tmp_path: Path, segrun: Run) -> None:
    behind = make(tmp_path / "behind.mp4", frames=3, draw=shade(60))
    clip = make(tmp_path / "in.mp4", times=[5000, 5040, 5080], time_base=Fraction(1, 1000))
    segrun(clip, tmp_path / "out.mp4", behind)
    assert grays(tmp_path / "out.mp4") == pytest.approx([60, 80, 100], abs=3)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(
    ("video", "expected"),
    [({"frames": 1}, [60] * 5), ({"frames": 3, "range": 2, "matrix": 1}, [60, 80, 100, 60, 80])],
    ids=["of one frame", "in another range"],
)
def test_a_background_video_stays_and_keeps_its_gray(
    video: dict[str, int], expected: list[int], tmp_path: Path, segrun: Run
) -> None:
    behind = make(tmp_path / "behind.mp4", draw=shade(60), **video)
    segrun(make(tmp_path / "in.mp4", frames=5), tmp_path / "out.mp4", behind)
    assert grays(tmp_path / "out.mp4") == pytest.approx(expected, abs=3)


@pytest.mark.usefixtures("nowhere")
def test_a_video_behind_a_still_gives_its_first_frame(tmp_path: Path, segrun: Run) -> None:
    behind = make(tmp_path / "behind.mp4", frames=3, size=(320, 120), draw=shade(60))
    cv2.imwrite(str(tmp_path / "in.png"), person(161, 121))
    segrun(tmp_path / "in.png", tmp_path / "out.png", behind)
    out = cv2.imread(str(tmp_path / "out.png"))
    assert out is not None
    assert out.shape == (121, 161, 3)
    assert np.abs(out.astype(int) - 60).max() <= 3


@pytest.mark.usefixtures("left")
def test_blur_leaves_the_person_sharp_and_what_is_behind_soft(tmp_path: Path, segrun: Run) -> None:
    stripes = np.zeros((120, 160, 3), np.uint8)
    stripes[:, ::4] = stripes[:, 1::4] = 255
    clip = make(tmp_path / "in.mp4", frames=2, draw=lambda *_: stripes)
    segrun(clip, tmp_path / "out.mp4", "blur:1")
    luma = planes(frames(tmp_path / "out.mp4")[1])[0].astype(int)
    contrast = np.abs(np.diff(luma, axis=1)).mean(0)
    assert contrast[:55].mean() > 60
    assert contrast[105:].mean() < 6


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(("word", "bgr"), [("green", (64, 177, 0)), ("#102030", (48, 32, 16)), ("white", (255,) * 3)])
def test_colours_by_name_and_number(word: str, bgr: tuple[int, ...], tmp_path: Path, segrun: Run) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), person(64, 48))
    segrun(tmp_path / "in.png", tmp_path / "out.png", word)
    out = cv2.imread(str(tmp_path / "out.png"))
    assert out is not None
    assert (out == bgr).all()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("blur:", r"background: got 'blur:', expected blur:STRENGTH over 0 to 1, like blur:0\.7"),
        ("blur:2", "got 'blur:2', expected blur:STRENGTH"),
        ("blur:0", "got 'blur:0', expected blur:STRENGTH"),
        ("blur:nan", "got 'blur:nan', expected blur:STRENGTH"),
        ("blur:-1", "got 'blur:-1', expected blur:STRENGTH"),
        ("#12345", r"got '#12345', expected a colour as #rrggbb"),
        ("#12345g", r"got '#12345g', expected a colour as #rrggbb"),
        ("violet", rf"background: violet: {messages.NOTHING_THERE} a picture or video file, a colour \(black, "),
        ("", "found a folder, expected a picture or video file"),
        (".", "found a folder, expected a picture or video file"),
    ],
)
def test_what_is_no_background_is_refused(word: str, message: str, tmp_path: Path, refuses: Refuses) -> None:
    refuses(OptionError, message, make(tmp_path / "in.mp4", frames=1), tmp_path / "out.mp4", word)


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("bad.jpg", b"", PictureError, r"background: .*bad\.jpg: empty file, expected a picture"),
        ("bad.jpg", b"\xff\xd8\xff\xe0 no picture", PictureError, r"background: .*bad\.jpg: "),
        ("bad.mp4", b"no video" * 100, VideoError, r"background: .*bad\.mp4: cannot be opened \(Invalid data"),
        ("bad.mp4", b"", VideoError, r"background: .*bad\.mp4: cannot be opened"),
    ],
)
def test_a_corrupt_background_is_refused(
    name: str, content: bytes, error: type[Exception], message: str, tmp_path: Path, refuses: Refuses
) -> None:
    (tmp_path / name).write_bytes(content)
    refuses(error, message, make(tmp_path / "in.mp4", frames=1), tmp_path / "out.mp4", tmp_path / name)


def test_a_background_video_needs_pyav(tmp_path: Path, refuses: Refuses, monkeypatch: pytest.MonkeyPatch) -> None:
    behind = make(tmp_path / "behind.mp4", frames=1)
    cv2.imwrite(str(tmp_path / "in.png"), person(64, 48))
    monkeypatch.setitem(sys.modules, "av", None)
    needed = re.escape(install_command("video"))
    refuses(MissingExtraError, needed, tmp_path / "in.png", tmp_path / "out.png", behind)
