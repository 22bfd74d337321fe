"""BlurBehind: nothing of the person in the blur, at any size, strength and plane."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests.each_case import each_case
from tests.refusals import refusal

from segruntime.compositing.blend import blend
from segruntime.compositing.blur import BlurBehind
from segruntime.errors import FrameError, OptionError

Bytes = npt.NDArray[np.uint8]

STRENGTHS = [0, 0.1, 0.3, 0.5, 1]
FEATHER = 12


@cache
def distance_from_disc(height: int, width: int) -> npt.NDArray[np.float64]:
    y, x = np.mgrid[0:height, 0:width]
    return np.asarray(np.hypot(x - 0.4 * width, y - 0.6 * height) - min(height, width) / 4)


@cache
def disc(height: int, width: int, feather: float = FEATHER) -> Bytes:
    """A person: 255 inside, falling to 0 over `feather` pixels outside the disc."""
    weight = np.clip(255 - 255 * distance_from_disc(height, width) / feather, 0, 255).astype(np.uint8)
    weight.flags.writeable = False  # the same one for every test
    return weight


def standing_before(background: Bytes, weight: Bytes, colour: Any) -> Bytes:
    return blend(np.full_like(background, colour), weight, background, np.empty_like(background))


def noise(*shape: int, seed: int = 0) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@each_case("strength", STRENGTHS)
@each_case("size", [(360, 640), (723, 1281), (640, 360)])
@each_case("colour", [(255, 255, 255), (0, 0, 255), (255, 0, 255)])
def test_a_saturated_person_before_black_brightens_nothing_beyond_the_feather(
    strength: float, size: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    black, weight = np.zeros((*size, 3), np.uint8), disc(*size)
    frame = standing_before(black, weight, colour)
    behind = BlurBehind(strength)(frame, weight)
    without = BlurBehind(strength)(black, np.zeros_like(weight))
    result = blend(frame, weight, behind, np.empty_like(frame))
    beyond = distance_from_disc(*size) > FEATHER
    assert result[beyond].max() <= without[beyond].max() == 0
    # the picture is not black because everything was cut away
    assert (result[weight == 255] == colour).all()


def test_an_ordinary_blur_would_fail_the_test_above() -> None:
    black, weight = np.zeros((360, 640, 3), np.uint8), disc(360, 640)
    glow = cv2.GaussianBlur(standing_before(black, weight, 255), (0, 0), 0.05 * 0.5 * 360)
    assert glow[distance_from_disc(360, 640) > FEATHER].max() > 50


@each_case("strength", STRENGTHS)
@each_case("size", [(1, 1), (1, 9), (9, 1), (2, 3), (17, 31), (241, 427), (720, 1280)])
@each_case("value", [0, 16, 128, 255])
def test_a_constant_background_stays_what_it_is_behind_any_person(
    strength: float, size: tuple[int, int], value: int
) -> None:
    plane = np.full(size, value, np.uint8)
    for weight in (disc(*size), disc(*size, feather=1), np.zeros_like(plane)):
        if not (weight == 0).any():
            continue  # a disc that leaves nothing of so small a frame
        behind = BlurBehind(strength)(standing_before(plane, weight, 255 - value), weight)
        assert np.abs(behind.astype(int) - value).max() <= 1


@each_case("size", [(1, 1), (5, 3), (90, 160)])
@each_case("value", [255, 200])
def test_a_person_all_over_the_frame_leaves_a_background_within_the_frames_own_values(
    size: tuple[int, int], value: int
) -> None:
    frame = noise(*size, 3) // 4 + 60
    behind = BlurBehind(0.5)(frame, np.full(size, value, np.uint8))
    assert behind.shape == frame.shape
    assert frame.min() - 1 <= behind.min() <= behind.max() <= frame.max() + 1


@each_case("strength", [0.2, 0.5, 1])
def test_with_nobody_there_it_is_a_gaussian_of_the_documented_sigma(strength: float) -> None:
    height, width = 480, 640
    step = np.zeros((height, width), np.uint8)
    step[:, width // 2 :] = 200
    behind = BlurBehind(strength)(step, np.zeros_like(step))
    sigma = 0.05 * strength * height
    x = np.arange(width) + 0.5 - width / 2
    exact = 100 * (1 + np.array([math.erf(value / sigma / math.sqrt(2)) for value in x]))
    # 200 grey levels over about 2.5 sigma: four of them are a shift by a twentieth of sigma
    assert np.abs(behind - exact[None]).max() <= 4


def test_the_hole_is_filled_from_its_own_side() -> None:
    frame = np.zeros((360, 640, 3), np.uint8)
    frame[:, :320], frame[:, 320:] = (200, 40, 40), (40, 40, 200)
    weight = np.zeros((360, 640), np.uint8)
    weight[60:300, 240:400] = 255
    frame[weight == 255] = (0, 255, 0)
    behind = BlurBehind(0.3)(frame, weight).astype(int)
    assert behind[..., 1].max() <= 41, "green of the person"
    assert behind[180, 250, 0] > 150 > 90 > behind[180, 250, 2]
    assert behind[180, 390, 2] > 150 > 90 > behind[180, 390, 0]


def test_a_plane_gives_what_the_channel_of_a_picture_gives() -> None:
    picture, weight = cv2.blur(noise(181, 263, 3), (9, 9)), disc(181, 263)
    behind = BlurBehind(0.4)(np.asarray(picture, np.uint8), weight)
    for channel in range(3):
        plane = BlurBehind(0.4)(np.ascontiguousarray(picture[..., channel], np.uint8), weight)
        assert np.abs(plane.astype(int) - behind[..., channel]).max() <= 1


def test_zero_of_the_values_means_nothing_as_chroma_needs() -> None:
    plane, weight = np.asarray(cv2.blur(noise(180, 320), (9, 9)), np.uint8) // 2, disc(180, 320)
    behind, shifted = BlurBehind(0.5)(plane, weight), BlurBehind(0.5)(plane + np.uint8(100), weight)
    assert np.abs(shifted.astype(int) - behind - 100).max() <= 1


def test_faint_noise_of_the_mask_leaves_the_background_in() -> None:
    plane, nobody = np.asarray(cv2.blur(noise(180, 320), (9, 9)), np.uint8), np.zeros((180, 320), np.uint8)
    faint = np.random.default_rng(3).integers(0, 3, nobody.shape, dtype=np.uint8)
    np.testing.assert_array_equal(BlurBehind(0.5)(plane, faint), BlurBehind(0.5)(plane, nobody))


def test_a_mask_that_flickers_by_little_changes_the_background_by_little() -> None:
    frame, weight = np.asarray(cv2.blur(noise(360, 640, 3), (25, 25)), np.uint8), disc(360, 640)
    nudged = np.clip(weight.astype(int) + np.random.default_rng(4).integers(-3, 4, weight.shape), 0, 255)
    difference = BlurBehind(0.5)(frame, weight).astype(int) - BlurBehind(0.5)(frame, nudged.astype(np.uint8))
    assert np.abs(difference).max() <= 2


def test_rows_may_be_apart_views_flipped_and_out_the_picture_itself() -> None:
    padded, weight = noise(90, 192), disc(90, 160)
    plane = padded[:, :160]
    expected = BlurBehind(0.5)(plane.copy(), weight)
    np.testing.assert_array_equal(BlurBehind(0.5)(plane, weight), expected)
    flipped = BlurBehind(0.5)(np.ascontiguousarray(plane[:, ::-1]), np.ascontiguousarray(weight[:, ::-1]))
    np.testing.assert_array_equal(BlurBehind(0.5)(plane[:, ::-1], weight[:, ::-1]), flipped)
    margin = padded[:, 160:].copy()
    assert BlurBehind(0.5)(plane, weight, out=plane) is plane
    np.testing.assert_array_equal(plane, expected)
    np.testing.assert_array_equal(padded[:, 160:], margin)


@each_case("strength", [-0.1, 1.1, math.nan, math.inf, "0.5", None, True])
def test_another_strength_is_refused(strength: Any) -> None:
    with pytest.raises(OptionError, match=r"blur strength: got .*, expected a number from 0 to 1"):
        BlurBehind(strength)


@each_case(
    ("picture", "weight", "out", "says"),
    [
        (noise(4, 6).astype(np.float32), noise(4, 6), None, "picture: got (4, 6) float32"),
        (noise(4, 6, 4), noise(4, 6), None, "picture: got (4, 6, 4) uint8"),
        (noise(4, 6, 3), noise(2, 3), None, "weight: got (2, 3) uint8, expected (4, 6) uint8"),
        (noise(4, 6, 3), noise(4, 6), noise(4, 6), "out: got (4, 6) uint8, expected (4, 6, 3) uint8"),
    ],
)
def test_what_cannot_be_blurred_is_refused(picture: Any, weight: Any, out: Any, says: str) -> None:
    assert says in refusal(FrameError, BlurBehind(0.5), picture, weight, out)
