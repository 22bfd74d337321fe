"""The frame that is measured."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from tests import messages
from tests.refusals import refusal

from segbench.errors import PictureError
from segbench.frames.drawn import drawn_background, drawn_frame, read_frame


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
