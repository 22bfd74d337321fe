"""The resizes that have one result everywhere, against whole numbers. `bilinear` to the bit: test_resize_rule.py."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from segruntime.resize import halved, resized

Bytes = npt.NDArray[np.uint8]
SIDES = (1, 2, 3, 5, 16, 17, 63, 128, 255)


def noise(*shape: int) -> Bytes:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", [(8, 12), (7, 12), (8, 13), (7, 13, 3), (1, 1), (1, 6, 3), (361, 643)])
def test_half_is_the_mean_of_the_pixels_that_there_are(shape: tuple[int, ...]) -> None:
    image = noise(*shape)
    found = halved(image)
    assert found.shape == ((shape[0] + 1) // 2, (shape[1] + 1) // 2, *shape[2:])
    for y, x in np.ndindex(*found.shape[:2]):
        block = image[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].astype(int)
        count = block.shape[0] * block.shape[1]
        # a half up, as the sum of whole numbers plus half of their count
        np.testing.assert_array_equal(found[y, x], (2 * block.sum((0, 1)) + count) // (2 * count))


def test_nearest_is_the_rule_of_the_contract() -> None:
    for height in SIDES:
        for count in SIDES:
            image = noise(height, 3, 3)
            step = (height * 65536 + count // 2) // count
            rows = [min(height - 1, floor(Fraction(step * k + step // 2 - height % 2, 65536))) for k in range(count)]
            np.testing.assert_array_equal(resized(image, (count, 3), "nearest"), image[rows])


@pytest.mark.parametrize("how", ["bilinear", "area", "nearest"])
@pytest.mark.parametrize("shape", [(40, 60, 3), (9, 11, 3)])
def test_a_part_of_a_larger_array_is_written_and_nothing_beside_it(how: str, shape: tuple[int, ...]) -> None:
    canvas: Any = np.full((24, 40, 3), 77, np.uint8)
    part = canvas[4:20, 8:32]
    resized(noise(*shape), (16, 24), how, part)
    np.testing.assert_array_equal(part, resized(noise(*shape), (16, 24), how))
    part[:] = 77
    assert (canvas == 77).all()


def test_area_of_a_whole_ratio_is_the_mean() -> None:
    image = noise(6, 10)
    blocks = image.astype(int).reshape(2, 3, 2, 5).sum((1, 3))
    assert np.abs(resized(image, (2, 2), "area") - blocks / 15).max() <= 0.5
