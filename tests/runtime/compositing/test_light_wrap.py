"""Light wrap: the edge takes on the background's light, the inside and the outside stay as they are."""

from __future__ import annotations

import math
import platform
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.each_case import each_case

from segruntime.compositing.light_wrap import light_wrap
from segruntime.errors import FrameError, OptionError

Bytes = npt.NDArray[np.uint8]

HEIGHT, WIDTH = 360, 640
SIGMA = 0.01 * HEIGHT


def inwards() -> npt.NDArray[np.float64]:
    """How far inside the person each pixel is; negative outside."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.asarray(100 - np.hypot(x - 300, y - 200))


WEIGHT = np.clip(127.5 + 255 * inwards() / 6, 0, 255).astype(np.uint8)
PERSON = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
PLACE = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


@each_case("under", {"picture": PLACE, "colour": (255, 255, 255)})
@each_case("strength", [0.3, 1])
def test_the_inside_and_the_outside_do_not_change(under: Any, strength: float) -> None:
    lit = light_wrap(PERSON, WEIGHT, under, strength)
    for far in (inwards() > 6 * SIGMA, WEIGHT == 0):
        assert far.any()
        np.testing.assert_array_equal(lit[far], PERSON[far])


def test_the_edge_takes_the_light_of_what_is_behind_as_the_formula_says() -> None:
    person, place = np.full((HEIGHT, WIDTH), 40, np.uint8), np.full((HEIGHT, WIDTH), 240, np.uint8)
    hard = np.zeros((HEIGHT, WIDTH), np.uint8)
    hard[:, WIDTH // 2 :] = 255
    lit = light_wrap(person, hard, place, 0.5)
    inside = np.arange(WIDTH // 2) + 0.5
    blurred = 0.5 * (1 + np.array([math.erf(x / SIGMA / math.sqrt(2)) for x in inside]))
    exact = 40 + 0.5 * (1 - blurred) * 200
    assert np.abs(lit[HEIGHT // 2, WIDTH // 2 :] - exact).max() <= 4
    assert (lit[:, : WIDTH // 2] == 40).all()


def test_a_place_as_bright_as_the_person_changes_nothing() -> None:
    person = np.full((HEIGHT, WIDTH, 3), (30, 60, 90), np.uint8)
    for under in (person, (30, 60, 90)):
        assert np.abs(light_wrap(person, WEIGHT, under, 1).astype(int) - person).max() <= 1


def test_strength_0_is_the_person_and_nothing_given_changes() -> None:
    copies = PERSON.copy(), WEIGHT.copy(), PLACE.copy()
    np.testing.assert_array_equal(light_wrap(PERSON, WEIGHT, PLACE, 0), PERSON)
    for given, copy in zip((PERSON, WEIGHT, PLACE), copies, strict=True):
        np.testing.assert_array_equal(given, copy)


def test_out_may_be_the_person() -> None:
    in_place = PERSON.copy()
    assert light_wrap(in_place, WEIGHT, PLACE, 0.6, out=in_place) is in_place
    np.testing.assert_array_equal(in_place, light_wrap(PERSON, WEIGHT, PLACE, 0.6))


@pytest.mark.skipif(
    platform.machine() == "aarch64",
    reason="OpenCV scales one and three channels differently there: by 1 of 255, for 0.03 %",
)
def test_planes_give_what_the_picture_gives() -> None:
    plane = light_wrap(np.ascontiguousarray(PERSON[..., 1]), WEIGHT, np.ascontiguousarray(PLACE[..., 1]), 0.6)
    np.testing.assert_array_equal(plane, light_wrap(PERSON, WEIGHT, PLACE, 0.6)[..., 1])


@each_case("size", [(1, 1), (1, 8), (9, 1), (5, 7)])
def test_tiny_frames(size: tuple[int, int]) -> None:
    person, everywhere = np.full(size, 90, np.uint8), np.full(size, 255, np.uint8)
    np.testing.assert_array_equal(light_wrap(person, everywhere, 255, 1), person)


@each_case("strength", [-0.1, 1.5, math.nan, "1", None, True])
def test_another_strength_is_refused(strength: Any) -> None:
    with pytest.raises(OptionError, match=r"light wrap: got .*, expected a number from 0 to 1"):
        light_wrap(PERSON, WEIGHT, PLACE, strength)


def test_pictures_that_do_not_fit_are_refused() -> None:
    with pytest.raises(FrameError, match=r"weight: got \(1, 2\) uint8, expected \(360, 640\)"):
        light_wrap(PERSON, np.zeros((1, 2), np.uint8), PLACE)
    with pytest.raises(FrameError, match=r"under: got \(2, 2, 3\) uint8"):
        light_wrap(PERSON, WEIGHT, PLACE[:2, :2])
