"""`bilinear` of bytes as docs/contract.md defines it for anyone who ports it, against OpenCV to the bit."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from tests.each_case import each_case

from segruntime.model_file.contract import InputSpec
from segruntime.preprocess import BYTE_BILINEAR, Preprocessor
from segruntime.refine.shrink import shrink

Bytes = npt.NDArray[np.uint8]
SIDES = (1, 2, 3, 4, 5, 7, 8, 16, 17, 31, 32, 63, 127, 128, 255, 256, 257)
CAMERAS = ((480, 640), (720, 1280), (1080, 1920), (1280, 720), (601, 799))


def two_pixels(count: int, source: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """For each of `count` pixels: the source pixel before it, the one after it, and that one's weight in 256ths."""
    step = 1 / (count / source)  # not source / count: a weight halfway between two 256ths may fall to the other side
    at = (np.arange(count) + 0.5) * step - 0.5
    before = np.floor(at).astype(int)
    weight = np.rint(256 * (at - before)).astype(np.uint32)  # halves to even
    weight[(before < 0) | (before >= source - 1)] = 0  # the edge repeats
    before = np.clip(before, 0, source - 1)
    return before, np.minimum(before + 1, source - 1), weight


def by_the_rule(image: Bytes, height: int, width: int) -> Bytes:
    """`(H, W, C) uint8` → `(height, width, C) uint8`: rows to 16 bits without rounding, columns to 32, rounded once."""
    left, right, wx = two_pixels(width, image.shape[1])
    above, below, wy = two_pixels(height, image.shape[0])
    wide, wx, wy = image.astype(np.uint32), wx[None, :, None], wy[:, None, None]
    rows = (256 - wx) * wide[:, left] + wx * wide[:, right]
    whole = (256 - wy) * rows[above] + wy * rows[below]
    return ((whole + 32768) >> 16).astype(np.uint8)


def picture(height: int, width: int, channels: int, seed: int) -> Bytes:
    """Noise; every third one of 0 and 255 only, where rounding errors are largest."""
    drawn = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return 255 * (drawn >> 7) if seed % 3 == 0 else drawn


@each_case("channels", [1, 3, 4])
def test_opencvs_exact_bilinear_resize_is_the_rule_to_the_bit(channels: int) -> None:
    drawn = np.random.default_rng(channels)
    for seed in range(600):
        height, width, to_height, to_width = (int(side) for side in drawn.choice(SIDES, 4))
        image = picture(height, width, channels, seed)
        found = cv2.resize(image, (to_width, to_height), interpolation=BYTE_BILINEAR)
        np.testing.assert_array_equal(
            found.reshape(to_height, to_width, channels),
            by_the_rule(image, to_height, to_width),
            err_msg=f"{image.shape} to {(to_height, to_width)}",
        )


@each_case("size", CAMERAS)
@each_case("side", [(256, 256), (224, 224), (144, 256), (320, 180)])
def test_a_cameras_frame_becomes_the_tensor_that_the_rule_says(size: tuple[int, int], side: tuple[int, int]) -> None:
    height, width = side
    spec = InputSpec(
        width=width,
        height=height,
        layout="NHWC",
        dtype="uint8",
        color="rgb",
        value_range=(0.0, 1.0),
        scale=1 / 255,
        zero_point=0,
    )
    frame = picture(*size, 3, seed=sum(size) + sum(side))
    np.testing.assert_array_equal(Preprocessor(spec)(frame)[0], by_the_rule(frame, height, width)[..., ::-1])


def test_a_weight_halfway_between_two_256ths_falls_as_the_reciprocal_of_the_scale_says() -> None:
    """240 rows to 176: the textbook's `source / count` gives another weight there."""
    source, count = 240, 176
    at = (np.arange(count) + 0.5) * (source / count) - 0.5
    textbook = np.rint(256 * (at - np.floor(at)))
    assert (textbook != two_pixels(count, source)[2]).any()
    image = picture(source, 3, 1, seed=0)
    found = cv2.resize(image, (3, count), interpolation=BYTE_BILINEAR)
    np.testing.assert_array_equal(found[..., None], by_the_rule(image, count, 3))


@each_case(("height", "width"), [(255, 255), (300, 411), (130, 500)])
def test_the_lumas_last_step_down_is_the_rule(height: int, width: int) -> None:
    luma = picture(height, width, 1, seed=height)
    found = shrink(luma[..., 0], (128, 256))
    np.testing.assert_array_equal(found[..., None], by_the_rule(luma, 128, 256))


def test_the_corners_are_the_pictures_own_and_one_pixel_fills_all() -> None:
    image = picture(5, 7, 3, seed=1)
    large = cv2.resize(image, (70, 50), interpolation=BYTE_BILINEAR)
    for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        np.testing.assert_array_equal(large[corner], image[corner])
    assert (cv2.resize(image[:1, :1], (9, 4), interpolation=BYTE_BILINEAR) == image[0, 0]).all()
