"""Blending, blur and light wrap of planes of 10 bits: as those of 8, with four times the steps."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from segruntime.compositing.blend import blend
from segruntime.compositing.blur import BlurBehind
from segruntime.compositing.byte_product import take_share
from segruntime.compositing.composite import cover
from segruntime.compositing.light_wrap import light_wrap
from segruntime.errors import FrameError
from segruntime.resize import halved, resized

Deep = npt.NDArray[np.uint16]


def noise(*shape: int, seed: int = 0) -> Deep:
    return np.random.default_rng(seed).integers(0, 1024, shape, dtype=np.uint16)


def disc(height: int, width: int) -> npt.NDArray[np.uint8]:
    y, x = np.mgrid[0:height, 0:width]
    distance = np.hypot(x - width / 2, y - height / 2) - min(height, width) / 3
    return np.clip(127.5 - 40 * distance, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(1, 1), (37, 53), (240, 321), (720, 1280), (48, 64, 3)])
def test_a_blend_is_the_nearest_step(shape: tuple[int, ...]) -> None:
    over, under = noise(*shape), noise(*shape, seed=1)
    weight = (noise(*shape[:2], seed=2) >> 2).astype(np.uint8)
    share = weight.astype(np.int64)[(...,) + (None,) * (len(shape) - 2)]
    exact = (over * share + under * (255 - share) + 127) // 255
    np.testing.assert_array_equal(blend(over, weight, under), exact)
    np.testing.assert_array_equal(blend(over, weight, under, out=over), exact)


def test_every_share_of_every_value_is_the_nearest() -> None:
    values, weights = np.meshgrid(np.arange(1024, dtype=np.uint16), np.arange(256, dtype=np.uint8), indexing="ij")
    expected = (values.astype(np.int64) * weights + 127) // 255
    np.testing.assert_array_equal(take_share(np.ascontiguousarray(values), weights), expected)


@pytest.mark.parametrize(("under", "shape"), [(940, (40, 50)), ((100, 1023, 7), (40, 50, 3))])
def test_a_constant_behind(under: Any, shape: tuple[int, ...]) -> None:
    over, weight = noise(*shape), disc(40, 50)
    behind = np.broadcast_to(np.asarray(under, np.uint16), shape)
    np.testing.assert_array_equal(blend(over, weight, under), blend(over, weight, np.ascontiguousarray(behind)))


def test_what_does_not_fit_is_refused() -> None:
    over, weight = noise(4, 4), np.zeros((4, 4), np.uint8)
    with pytest.raises(FrameError, match=r"expected a plane.*of 0–1023"):
        blend(over, weight, 1024)
    with pytest.raises(FrameError, match=r"under: got \(4, 4\) uint8, expected \(4, 4\) uint16"):
        blend(over, weight, np.zeros((4, 4), np.uint8))  # type: ignore[type-var]
    with pytest.raises(FrameError, match="out: got"):
        blend(over, weight, 3, out=np.zeros((4, 4), np.uint8))  # type: ignore[type-var]
    with pytest.raises(FrameError, match="uint8, 0–255, or uint16, 0–1023"):
        blend(over.astype(np.int32), weight, 3)  # type: ignore[type-var]


@pytest.mark.parametrize("strength", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(120, 160), (240, 321)])
def test_a_blur_is_that_of_eight_bits_in_finer_steps(strength: float, shape: tuple[int, int]) -> None:
    smooth = np.asarray(cv2.GaussianBlur(noise(*shape), (0, 0), 3), np.uint16)
    deep = BlurBehind(strength)(smooth, disc(*shape))
    coarse = BlurBehind(strength)(np.rint(smooth / 4).astype(np.uint8), disc(*shape))
    assert deep.dtype == np.uint16
    assert np.abs(deep / 4 - coarse).max() <= 1.5
    flat = np.full(shape, 777, np.uint16)
    np.testing.assert_array_equal(BlurBehind(strength)(flat, disc(*shape)), flat)


def test_a_light_wrap_is_that_of_eight_bits_in_finer_steps() -> None:
    over, under = (np.asarray(cv2.GaussianBlur(noise(120, 160, seed=k), (0, 0), 3), np.uint16) for k in (0, 1))
    eight = [np.rint(plane / 4).astype(np.uint8) for plane in (over, under)]
    deep = light_wrap(over, disc(120, 160), under, 0.8)
    assert deep.dtype == np.uint16
    assert np.abs(deep / 4 - light_wrap(eight[0], disc(120, 160), eight[1], 0.8)).max() <= 1.5
    assert (light_wrap(over, disc(120, 160), 1023, 1.0) >= over).all()


def test_sizes_change_as_those_of_bytes() -> None:
    bytes_ = np.random.default_rng(4).integers(0, 256, (37, 53), dtype=np.uint8)
    deep = bytes_.astype(np.uint16) * 4
    for how in ("bilinear", "area", "nearest"):
        ours, theirs = (resized(plane, (16, 24), how) for plane in (deep, bytes_))
        assert ours.dtype == np.uint16
        assert np.abs(ours / 4 - theirs).max() <= 0.75
    assert np.abs(halved(deep) / 4 - halved(bytes_)).max() <= 0.75
    assert np.abs(cover(deep, 50, 30) / 4 - cover(bytes_, 50, 30)).max() <= 0.75
