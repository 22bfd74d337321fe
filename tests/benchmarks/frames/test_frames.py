"""Where the measured frames come from."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests import messages
from tests.refusals import refusal

from segbench.errors import ClipError, PictureError
from segbench.frames.drawn import drawn_background, drawn_frame, read_frame
from segbench.frames.source import FrameFacts, open_feed
from segbench.process.job import Job


def test_drawn_frame_is_the_same_each_time_and_another_for_another_seed() -> None:
    first = drawn_frame(320, 180)
    assert first.shape == (180, 320, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, drawn_frame(320, 180))
    assert not np.array_equal(first, drawn_frame(320, 180, seed=8))


@pytest.mark.parametrize(("width", "height"), [(16, 16), (16, 999), (999, 16), (641, 479)])
def test_drawn_frame_and_background_take_any_size(width: int, height: int) -> None:
    for image in (drawn_frame(width, height), drawn_background(width, height)):
        assert image.shape == (height, width, 3)
        assert image.flags.c_contiguous
        assert image.std() > 1


def test_picture_keeps_its_size_or_covers_the_one_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "me.png"
    cv2.imwrite(str(path), drawn_frame(90, 60))
    assert np.array_equal(read_frame(path), drawn_frame(90, 60))
    assert read_frame(path, (64, 64)).shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "check the path"),
        (b"", "0 bytes"),
        (b"\x89PNG\r\n\x1a\n", messages.CANNOT_BE_DECODED),
        (b"text", messages.CANNOT_BE_DECODED),
    ],
)
def test_unusable_picture_is_refused_by_name(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "me.png"
    if content is not None:
        path.write_bytes(content)
    assert "me.png" in refusal(PictureError, read_frame, path, match=message)


def test_tiny_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dot.png"
    cv2.imwrite(str(path), np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(PictureError, match=f"is 1x1, {messages.SIDES}"):
        read_frame(path)


LEVELS = (40, 120, 200)


def write_clip(path: Path, size: tuple[int, int] = (64, 48)) -> Path:
    """One gray frame for each of LEVELS."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, size)
    for level in LEVELS:
        writer.write(np.full((size[1], size[0], 3), level, np.uint8))
    writer.release()
    return path


def test_without_an_input_the_frame_is_drawn_and_nothing_is_decoded() -> None:
    feed = open_feed(Job(width=64, height=48))
    assert feed.facts() == FrameFacts(width=64, height=48, source="the drawn frame")
    for frame, decode in islice(feed.frames, 3):
        assert frame is feed.first
        assert decode is None


def test_picture_is_decoded_once(tmp_path: Path) -> None:
    path = tmp_path / "me.png"
    cv2.imwrite(str(path), drawn_frame(90, 60))
    feed = open_feed(Job(input=str(path)))
    assert np.array_equal(feed.first, drawn_frame(90, 60))
    assert next(feed.frames)[1] is None


def test_video_gives_its_frames_in_order_then_starts_again(tmp_path: Path) -> None:
    feed = open_feed(Job(input=str(write_clip(tmp_path / "clip.avi"))))
    assert feed.facts() == FrameFacts(width=64, height=48, source=str(tmp_path / "clip.avi"))
    found = list(islice(feed.frames, 5))
    assert abs(float(feed.first.mean()) - LEVELS[0]) < 5
    expected = [LEVELS[k % 3] for k in range(1, 6)]
    assert [frame.mean() for frame, _ in found] == pytest.approx(expected, abs=5)
    assert all(decode is not None and 0 < decode < 1 for _, decode in found)


def test_video_is_scaled_to_the_size_asked_for(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi")
    feed = open_feed(Job(input=str(path), width=32, height=32))
    assert [frame.shape for frame, _ in islice(feed.frames, 4)] == [(32, 32, 3)] * 4


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("gone.mp4", ClipError, f"gone.mp4: {messages.NOTHING_THERE} a video"),
        ("gone.png", PictureError, "gone.png: cannot be read"),
        ("text.mp4", ClipError, "text.mp4: cannot be opened as a video"),
    ],
)
def test_input_that_is_none_is_refused_by_name(tmp_path: Path, name: str, error: type[Exception], message: str) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(error, match=message):
        open_feed(Job(input=str(tmp_path / name)))


def test_video_smaller_than_any_frame_is_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "dot.avi", (8, 8))
    with pytest.raises(ClipError, match=f"is 8x8, {messages.SIDES}"):
        open_feed(Job(input=str(path)))
