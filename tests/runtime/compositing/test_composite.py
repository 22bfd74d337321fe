"""Compositing against the same blend in float64; any size, any view, any alpha."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from tests import messages
from tests.each_case import each_case
from tests.refusals import refusal

from segruntime import composite
from segruntime.arrays import alpha_bytes
from segruntime.compositing.composite import cover
from segruntime.errors import FrameError

SIZES = [(1, 1), (1, 7), (9, 1), (37, 53), (240, 321), (3, 60_000)]


def picture(height: int, width: int, seed: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def soft(height: int, width: int, seed: int = 9) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).random((height, width), dtype=np.float32)


def blend(frame: Any, alpha: Any, behind: Any) -> npt.NDArray[np.float64]:
    weight = alpha.astype(np.float64)[..., None]
    return np.asarray(frame * weight + np.asarray(behind, np.float64) * (1 - weight))


@each_case("size", SIZES)
def test_a_picture_behind_is_within_what_the_docstring_promises(size: tuple[int, int]) -> None:
    frame, behind, alpha = picture(*size, 0), picture(*size, 1), soft(*size)
    result = composite(frame, alpha, behind)
    assert result.dtype == np.uint8
    assert np.abs(result - blend(frame, alpha, behind)).max() <= 1.5


@each_case("size", SIZES)
@each_case("colour", [(0, 0, 0), (255, 255, 255), [10, 200, 90], np.array([1, 2, 3])])
def test_a_colour_behind_is_within_what_the_docstring_promises(size: tuple[int, int], colour: Any) -> None:
    frame, alpha = picture(*size, 0), soft(*size)
    assert np.abs(composite(frame, alpha, colour) - blend(frame, alpha, colour)).max() <= 1.5


def test_every_pair_of_bytes_at_every_alpha_step_is_within_the_promise() -> None:
    frame = np.zeros((256, 256, 3), np.uint8)
    frame[...] = np.arange(256)[:, None, None]
    behind = np.ascontiguousarray(np.swapaxes(frame, 0, 1))
    for step in range(0, 64):
        alpha = np.full((256, 256), step / 63, np.float32)
        assert np.abs(composite(frame, alpha, behind) - blend(frame, alpha, behind)).max() <= 1.5


@each_case("size", [(5, 7), (240, 321)])
def test_alpha_one_is_the_frame_and_alpha_zero_the_background(size: tuple[int, int]) -> None:
    frame, behind = picture(*size, 0), picture(*size, 1)
    np.testing.assert_array_equal(composite(frame, np.ones(size, np.float32), behind), frame)
    np.testing.assert_array_equal(composite(frame, np.zeros(size, np.float32), behind), behind)


@each_case(
    ("value", "same_as"),
    [(-0.5, 0), (-1e9, 0), (-np.inf, 0), (np.nan, 0), (1.5, 1), (3.0, 1), (1e9, 1), (3e38, 1), (np.inf, 1), (-1e-9, 0)],
)
@each_case("width", [1, 3, 64])
def test_an_alpha_outside_0_and_1_does_not_wrap_round(value: float, same_as: float, width: int) -> None:
    frame, behind = picture(4, width, 0), picture(4, width, 1)
    result = composite(frame, np.full((4, width), value, np.float32), behind)
    np.testing.assert_array_equal(result, frame if same_as else behind)


@each_case("size", [*SIZES, (3, 70_000)])
def test_alpha_in_bytes_gives_the_nearest_byte(size: tuple[int, int]) -> None:
    frame, behind = picture(*size, 0), picture(*size, 1)
    alpha = picture(*size, 2)[..., 0]
    weight = alpha.astype(float)[..., None] / 255
    exact = frame * weight + behind * (1 - weight)
    assert np.abs(composite(frame, alpha, behind) - exact).max() <= 0.5 + 1e-9
    exact = frame * weight + np.array([9, 99, 200]) * (1 - weight)
    assert np.abs(composite(frame, alpha, (9, 99, 200)) - exact).max() <= 0.5 + 1e-9


def test_a_float_alpha_is_within_1_below_what_is_taken_for_certain() -> None:
    alpha = np.linspace(0, 253.4 / 255, 256 * 256, dtype=np.float32).reshape(256, 256)
    frame, behind = picture(256, 256, 0), picture(256, 256, 1)
    exact = behind + (frame.astype(float) - behind) * alpha[..., None].astype(float)
    assert np.abs(composite(frame, alpha, behind) - exact).max() <= 1 + 1e-4


def test_the_most_certain_step_of_an_8_bit_sigmoid_lets_nothing_through() -> None:
    frame, behind = picture(40, 50, 0), picture(40, 50, 1)
    certain = np.full((40, 50), 255 / 256, np.float32)
    np.testing.assert_array_equal(composite(frame, certain, behind), frame)


@each_case("size", [*SIZES, (3, 70_000)])
def test_floats_become_the_nearest_of_255_steps(size: tuple[int, int]) -> None:
    alpha = np.random.default_rng(3).random(size, dtype=np.float32)
    away = np.abs(alpha_bytes(alpha) - 255 * alpha.astype(float))
    certain = alpha >= 253.5 / 255
    assert away[~certain].max(initial=0) <= 0.5 + 1e-4
    assert (alpha_bytes(alpha)[certain] == 255).all()


def test_bytes_are_returned_as_they_are() -> None:
    alpha = picture(4, 6, 0)[..., 0]
    assert alpha_bytes(alpha) is alpha


def test_nothing_that_was_given_is_changed() -> None:
    frame, behind, alpha = picture(40, 50, 0), picture(40, 50, 1), soft(40, 50) * 3 - 1
    copies = frame.copy(), behind.copy(), alpha.copy()
    composite(frame, alpha, behind)
    for given, copy in zip((frame, behind, alpha), copies, strict=True):
        np.testing.assert_array_equal(given, copy)


@each_case("size", [(9, 1), (1, 9), (240, 321)])
def test_out_may_be_another_array_the_frame_or_the_background(size: tuple[int, int]) -> None:
    frame, behind, alpha = picture(*size, 0), picture(*size, 1), soft(*size)
    expected = composite(frame, alpha, behind)
    out = np.zeros_like(frame)
    assert composite(frame, alpha, behind, out=out) is out
    np.testing.assert_array_equal(out, expected)
    in_place = frame.copy()
    assert composite(in_place, alpha, behind, out=in_place) is in_place
    np.testing.assert_array_equal(in_place, expected)
    background = behind.copy()
    composite(frame, alpha, background, out=background)
    np.testing.assert_array_equal(background, expected)


def test_out_may_be_a_part_of_a_larger_picture() -> None:
    canvas = np.zeros((60, 80, 3), np.uint8)
    frame, alpha = picture(40, 50, 0), soft(40, 50)
    composite(frame, alpha, (1, 2, 3), out=canvas[5:45, 9:59])
    np.testing.assert_array_equal(canvas[5:45, 9:59], composite(frame, alpha, (1, 2, 3)))
    assert canvas[:5].max() == canvas[45:].max() == canvas[:, :9].max() == canvas[:, 59:].max() == 0


VIEWS = {
    "upside down": lambda a: a[::-1],
    "mirrored": lambda a: a[:, ::-1],
    "turned": lambda a: np.swapaxes(a, 0, 1),
    "every other": lambda a: a[::2, ::2],
}


@each_case("view", VIEWS)
def test_views_give_the_same_picture_as_their_copy(view: Any) -> None:
    frame, behind, alpha = (view(a) for a in (picture(40, 40, 0), picture(40, 40, 1), soft(40, 40)))
    expected = composite(frame.copy(), alpha.copy(), behind.copy())
    np.testing.assert_array_equal(composite(frame, alpha, behind), expected)


def gradient(height: int, width: int) -> npt.NDArray[np.uint8]:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * x / max(1, width - 1), 255 * y / max(1, height - 1), 0 * x], axis=-1).astype(np.uint8)


@each_case(("h", "w"), [(90, 160), (20, 160), (90, 20), (400, 300), (33, 57)])
def test_a_background_of_another_size_covers_the_frame_from_its_middle(h: int, w: int) -> None:
    scaled = cover(gradient(h, w), 60, 80)
    assert scaled.shape == (60, 80, 3)
    # what the exact geometry shows at each pixel: centres, one scale for both axes, the middle of the picture
    scale = max(60 / h, 80 / w)
    x = np.clip((np.arange(80) + 0.5 - 40) / scale + w / 2 - 0.5, 0, w - 1) * 255 / (w - 1)
    y = np.clip((np.arange(60) + 0.5 - 30) / scale + h / 2 - 0.5, 0, h - 1) * 255 / (h - 1)
    one_pixel = 255 / (min(h, w) - 1)
    assert np.abs(scaled[..., 0] - x[None]).max() <= one_pixel + 2
    assert np.abs(scaled[..., 1] - y[:, None]).max() <= one_pixel + 2
    frame, alpha = picture(60, 80, 0), soft(60, 80)
    np.testing.assert_array_equal(composite(frame, alpha, gradient(h, w)), composite(frame, alpha, scaled))


@each_case(("h", "w"), [(1, 1), (1, 30_000), (30_000, 1), (2, 5000)])
def test_a_background_of_an_extreme_shape_takes_no_more_memory_than_the_frame(h: int, w: int) -> None:
    behind = np.full((h, w, 3), 77, np.uint8)
    result = composite(picture(720, 1280, 0), np.zeros((720, 1280), np.float32), behind)
    assert (result == 77).all()


GOOD = picture(4, 6, 0)
ALPHA = soft(4, 6)


@each_case(
    ("frame", "alpha", "behind", "says"),
    [
        (None, ALPHA, GOOD, f"frame: got NoneType, {messages.ARRAY} (H, W, 3) uint8, BGR"),
        (GOOD[..., 0], ALPHA, GOOD, "frame: got (4, 6) uint8"),
        (GOOD.astype(np.float32), ALPHA, GOOD, "frame: got (4, 6, 3) float32"),
        (np.zeros((4, 6, 4), np.uint8), ALPHA, GOOD, "frame: got (4, 6, 4) uint8"),
        (np.zeros((0, 6, 3), np.uint8), np.zeros((0, 6), np.float32), GOOD, "frame: got (0, 6, 3) uint8"),
        (GOOD, ALPHA.T, GOOD, "alpha: got (6, 4) float32, expected (4, 6) float32, 0–1, the size of the frame"),
        (GOOD, ALPHA[..., None], GOOD, "alpha: got (4, 6, 1) float32"),
        (GOOD, ALPHA.astype(np.float64), GOOD, "alpha: got (4, 6) float64"),
        (GOOD, ALPHA > 0.5, GOOD, "alpha: got (4, 6) bool"),
        (GOOD, None, GOOD, "alpha: got NoneType"),
        (GOOD, ALPHA, None, "background: got None"),
        (GOOD, ALPHA, GOOD.astype(np.float32), "background: got (4, 6, 3) float32"),
        (GOOD, ALPHA, np.zeros((4, 6, 4), np.uint8), "background: got (4, 6, 4) uint8"),
        (GOOD, ALPHA, np.zeros((0, 6, 3), np.uint8), "background: got (0, 6, 3) uint8"),
        (GOOD, ALPHA, (1, 2), "background: got (1, 2), expected a picture (h, w, 3) uint8 BGR or a colour"),
        (GOOD, ALPHA, (0, 0, 256), "background: got (0, 0, 256)"),
        (GOOD, ALPHA, (-1, 0, 0), "background: got (-1, 0, 0)"),
        (GOOD, ALPHA, (0.0, 0.5, 1.0), "background: got (0.0, 0.5, 1.0)"),
        (GOOD, ALPHA, "red", "background: got 'red'"),
        (GOOD, ALPHA, 0, "background: got 0"),
    ],
)
def test_what_cannot_be_blended_is_refused(frame: Any, alpha: Any, behind: Any, says: str) -> None:
    assert says in refusal(FrameError, composite, frame, alpha, behind)


def read_only() -> npt.NDArray[np.uint8]:
    array = np.zeros((4, 6, 3), np.uint8)
    array.flags.writeable = False
    return array


@each_case(
    ("out", "says"),
    [
        (np.zeros((6, 4, 3), np.uint8), "out: got (6, 4, 3) uint8, expected (4, 6, 3) uint8"),
        (np.zeros((4, 6, 3), np.float32), "out: got (4, 6, 3) float32"),
        (np.zeros((4, 6), np.uint8), "out: got (4, 6) uint8"),
        (np.zeros((4, 6, 3), np.uint8)[::-1], "packed rows"),
        (np.zeros((4, 6, 3), np.uint8)[:, ::-1], "packed rows"),
        (np.zeros((4, 12, 3), np.uint8)[:, ::2], "packed rows"),
        (np.zeros((6, 4, 3), np.uint8).swapaxes(0, 1), "packed rows"),
        (read_only(), "read-only"),
        ([], f"out: got list, {messages.ARRAY} (4, 6, 3) uint8"),
    ],
)
def test_an_out_that_cannot_be_written_to_is_refused(out: Any, says: str) -> None:
    assert says in refusal(FrameError, composite, GOOD, ALPHA, GOOD, out=out)
