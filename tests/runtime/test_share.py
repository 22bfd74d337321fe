"""A share of a byte is the nearest byte, whichever way this processor takes; the other one is held here as well."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from tests.each_case import each_case

import segruntime.compositing.share
from segruntime.compositing.blend import blend
from segruntime.compositing.share import _by_integers, opencv_rounds, take_share

VALUES, WEIGHTS = (np.ascontiguousarray(plane, np.uint8) for plane in np.indices((256, 256)))
EXACT = np.rint(VALUES * (WEIGHTS / 255.0)).astype(
    np.uint8
)  # a byte times a byte is never half of an odd multiple of 255


@each_case("way", [take_share, _by_integers])
def test_every_share_of_every_byte_is_the_nearest(way: Callable[..., np.ndarray]) -> None:
    values = VALUES.copy()
    found = way(values, WEIGHTS)
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
    monkeypatch.setattr(segruntime.compositing.share, "opencv_rounds", lambda: False)
    random = np.random.default_rng(5)
    over, under = (random.integers(0, 256, (61, 47, 3), np.uint8) for _ in range(2))
    weight = random.integers(0, 256, (61, 47), np.uint8)
    exact = under + (over - under.astype(float)) * weight[..., None] / 255
    assert np.abs(blend(over, weight, under, np.empty_like(over)) - exact).max() < 0.5
