"""The blend kernel: the nearest byte to the exact blend, on any plane, picture, view and width."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests import messages
from tests.each_case import each_case

import segruntime.compositing.byte_product
from segruntime.compositing.blend import blend
from segruntime.compositing.byte_product import _by_integers, opencv_rounds, take_share
from segruntime.errors import FrameError

Bytes = npt.NDArray[np.uint8]

SIZES = [(1, 1), (1, 7), (9, 1), (4, 16), (37, 53), (240, 321), (3, 70_000), (720, 1280)]


def noise(*shape: int, seed: int = 0) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def blob(height: int, width: int, feather: int) -> Bytes:
    """A disc with an edge `feather` pixels wide: mostly 0 and 255, as a mask is."""
    y, x = np.mgrid[0:height, 0:width]
    distance = np.hypot(x - width / 2, y - height / 2) - min(height, width) / 3
    return np.clip(127.5 - 255 * distance / feather, 0, 255).astype(np.uint8)


def rounded(over: Any, weight: Any, under: Any) -> Bytes:
    """What the docstring says, in whole numbers; a half cannot occur, 255 is odd."""
    weight = weight.astype(np.int32)[..., None] if np.ndim(over) == 3 else weight.astype(np.int32)
    under = np.asarray(under).astype(np.int32)
    return np.asarray((over * weight + under * (255 - weight) + 127) // 255, np.uint8)


WEIGHTS = {
    "blob": lambda h, w: blob(h, w, 6),
    "noise": lambda h, w: noise(h, w, seed=5),
    "hard": lambda h, w: np.where(noise(h, w, seed=5) > 127, 255, 0).astype(np.uint8),
    "one soft pixel": lambda h, w: np.pad(np.full((1, 1), 99, np.uint8), ((h - 1, 0), (w - 1, 0))),
    "0": lambda h, w: np.zeros((h, w), np.uint8),
    "255": lambda h, w: np.full((h, w), 255, np.uint8),
}


@each_case("kind", list(WEIGHTS))
@each_case("size", SIZES)
@each_case("channels", {"plane": (), "picture": (3,)})
def test_every_pixel_is_the_sum_of_the_two_rounded(kind: str, size: tuple[int, int], channels: tuple[int, ...]) -> None:
    over, under, weight = noise(*size, *channels), noise(*size, *channels, seed=1), WEIGHTS[kind](*size)
    expected = rounded(over, weight, under)
    out = np.zeros_like(over)
    assert blend(over, weight, under, out) is out
    np.testing.assert_array_equal(out, expected)
    as_over, as_under = over.copy(), under.copy()
    np.testing.assert_array_equal(blend(as_over, weight, under, as_over), expected)
    np.testing.assert_array_equal(blend(over, weight, as_under, as_under), expected)


def test_every_pair_of_bytes_at_every_weight_is_the_nearest_byte() -> None:
    over, under = (np.ascontiguousarray(a, np.uint8) for a in np.mgrid[0:256, 0:256])
    out = np.empty_like(over)
    for value in range(256):
        weight = np.full((256, 256), value, np.uint8)
        np.testing.assert_array_equal(blend(over, weight, under, out), rounded(over, weight, under))


@each_case("kind", ["blob", "noise"])
def test_a_constant_behind_is_a_plane_of_it(kind: str) -> None:
    weight = WEIGHTS[kind](400, 700)
    plane, picture = noise(400, 700), noise(400, 700, 3)
    np.testing.assert_array_equal(
        blend(plane, weight, 16, np.empty_like(plane)), rounded(plane, weight, np.full_like(plane, 16))
    )
    np.testing.assert_array_equal(
        blend(picture, weight, (10, 200, 90), np.empty_like(picture)),
        rounded(picture, weight, np.full_like(picture, (10, 200, 90))),
    )


@each_case("channels", {"plane": (), "picture": (3,)})
def test_rows_may_be_apart_as_in_a_decoded_video_frame(channels: tuple[int, ...]) -> None:
    padded = [noise(90, 192, *channels, seed=seed) for seed in range(3)]
    over, under, out = (array[:, :160] for array in padded)
    mask = np.pad(blob(90, 160, 6), ((0, 0), (0, 32)))
    weight, margin = mask[:, :160], padded[2][:, 160:].copy()
    expected = rounded(over, weight, under)
    np.testing.assert_array_equal(blend(over, weight, under, out), expected)
    np.testing.assert_array_equal(padded[2][:, 160:], margin)
    np.testing.assert_array_equal(blend(over, weight, under, over), expected)


def test_inputs_may_be_flipped_and_turned() -> None:
    over, under, weight = noise(64, 64, 3), noise(64, 64, 3, seed=1), blob(64, 64, 6)[:, ::-1]
    for view in (lambda a: a[::-1], lambda a: a[:, ::-1], lambda a: a.swapaxes(0, 1)):
        expected = rounded(view(over), view(weight), view(under))
        out = np.empty((64, 64, 3), np.uint8)
        np.testing.assert_array_equal(blend(view(over), view(weight), view(under), out), expected)


def test_nothing_that_was_given_is_changed() -> None:
    given = noise(300, 400, 3), blob(300, 400, 6), noise(300, 400, 3, seed=1)
    copies = [array.copy() for array in given]
    blend(*given, np.empty((300, 400, 3), np.uint8))
    for array, copy in zip(given, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


PLANE, PICTURE, WEIGHT = noise(4, 6), noise(4, 6, 3), noise(4, 6)


@each_case(
    ("over", "weight", "under", "out", "says"),
    [
        (None, WEIGHT, PLANE, PLANE, f"over: got NoneType, {messages.ARRAY} (H, W) or (H, W, 3) uint8"),
        (noise(4, 6, 4), WEIGHT, PLANE, PLANE, "over: got (4, 6, 4) uint8"),
        (noise(0, 6), WEIGHT, PLANE, PLANE, "over: got (0, 6) uint8"),
        (PLANE, WEIGHT.T, PLANE, PLANE, "weight: got (6, 4) uint8, expected (4, 6) uint8, 0–255"),
        (PLANE, WEIGHT / np.float32(255), PLANE, PLANE, "weight: got (4, 6) float32"),
        (PLANE, WEIGHT, PLANE.T, PLANE, "under: got (6, 4) uint8, expected (4, 6) uint8"),
        (
            PLANE,
            WEIGHT,
            PICTURE,
            PLANE,
            "under: got (4, 6, 3) uint8, expected a plane (H, W) uint8 or a number of 0–255",
        ),
        (PLANE, WEIGHT, 256, PLANE, "under: got 256"),
        (PLANE, WEIGHT, 0.5, PLANE, "under: got 0.5"),
        (PLANE, WEIGHT, (1, 2, 3), PLANE, "under: got (1, 2, 3)"),
        (PICTURE, WEIGHT, 7, PICTURE, "expected a picture (H, W, 3) uint8 or three numbers of 0–255"),
        (PICTURE, WEIGHT, (-1, 0, 0), PICTURE, "under: got (-1, 0, 0)"),
        (PLANE, WEIGHT, 0, PICTURE, "out: got (4, 6, 3) uint8, expected (4, 6) uint8"),
        (PLANE, WEIGHT, 0, noise(4, 12)[:, ::2], "out: is read-only, flipped or skips pixels"),
    ],
)
def test_what_cannot_be_blended_is_refused(over: Any, weight: Any, under: Any, out: Any, says: str) -> None:
    with pytest.raises(FrameError, match=re.escape(says)):
        blend(over, weight, under, out)


# a share of a byte, whichever way this processor takes; the other one is held here as well

VALUES, SHARES = (np.ascontiguousarray(plane, np.uint8) for plane in np.indices((256, 256)))
EXACT = np.rint(VALUES * (SHARES / 255.0)).astype(
    np.uint8
)  # a byte times a byte is never half of an odd multiple of 255


@each_case("way", [take_share, _by_integers])
def test_every_share_of_every_byte_is_the_nearest(way: Callable[..., np.ndarray]) -> None:
    values = VALUES.copy()
    found = way(values, SHARES)
    np.testing.assert_array_equal(found, EXACT)
    assert found is values


def test_a_processor_that_cuts_off_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(a: np.ndarray, b: np.ndarray, dst: np.ndarray, scale: float) -> np.ndarray:
        dst[:] = (a.astype(np.float32) * b * np.float32(scale)).astype(np.uint8)
        return dst

    monkeypatch.setattr(cv2, "multiply", cut_off)
    opencv_rounds.cache_clear()
    try:
        assert not opencv_rounds()
        over, under = np.full((2, 3), 200, np.uint8), np.full((2, 3), 100, np.uint8)
        # 100 + 100 * 254 / 255 = 199.6
        np.testing.assert_array_equal(blend(over, np.full((2, 3), 254, np.uint8), under, over.copy()), over)
    finally:
        opencv_rounds.cache_clear()


def test_without_opencv_rounding_pictures_are_blended_to_the_nearest_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segruntime.compositing.byte_product, "opencv_rounds", lambda: False)
    random = np.random.default_rng(5)
    over, under = (random.integers(0, 256, (61, 47, 3), np.uint8) for _ in range(2))
    weight = random.integers(0, 256, (61, 47), np.uint8)
    exact = under + (over - under.astype(float)) * weight[..., None] / 255
    assert np.abs(blend(over, weight, under, np.empty_like(over)) - exact).max() < 0.5
