"""Alpha as bytes and as floats: what each costs in exactness, and that a certain person hides all of the background."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from tests.each_case import each_case

from segruntime import composite
from segruntime.arrays import alpha_bytes

SIZES = [(1, 1), (37, 53), (240, 321), (3, 70_000)]


def picture(height: int, width: int, seed: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@each_case("size", SIZES)
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


@each_case("size", SIZES)
def test_floats_become_the_nearest_of_255_steps(size: tuple[int, int]) -> None:
    alpha = np.random.default_rng(3).random(size, dtype=np.float32)
    away = np.abs(alpha_bytes(alpha) - 255 * alpha.astype(float))
    certain = alpha >= 253.5 / 255
    assert away[~certain].max(initial=0) <= 0.5 + 1e-4
    assert (alpha_bytes(alpha)[certain] == 255).all()


def test_bytes_are_returned_as_they_are() -> None:
    alpha = picture(4, 6, 0)[..., 0]
    assert alpha_bytes(alpha) is alpha
