"""The background out of focus: a blur that the person's own pixels do not take part in, so that nothing glows round the head.

At reduced size the person is cut out and the hole filled from what is around it (pull-push: Gortler et al., The Lumigraph,
1996); that picture is blurred and scaled up. No step depends on the zero of the values: a luma or chroma plane of a video
frame is as good as a picture.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.arrays import Bytes, Sample, check_bytes, check_out, check_samples
from segruntime.errors import OptionError
from segruntime.resize import halved, resized

_FULL_STRENGTH = 0.05  # sigma as a share of the height, at strength 1
_SMALLEST_SIGMA = 1.25  # after the reduction: with less, the squares of the bilinear upsampling show
_LARGEST_HEIGHT = 200  # a weak blur is reduced to it all the same, or it would be the dearest
_COMPLETE = 1e-3  # a lack that is less than a third of a byte's step

# What a pixel of each alpha counts as background: up to 2 of 255, the noise of a mask, all of it, from 16 nothing.
_SHARE = np.clip((16 - np.arange(256)) / (16 - 2), 0, 1).astype(np.float32)
# Where the frame has nothing better: what is least covered.
_LAST_RESORT = (1e-5 * np.exp(-np.arange(256) / 6)).astype(np.float32)

_Floats = npt.NDArray[np.float32]


class BlurBehind:
    """The frame as a background, blurred without the person; one for all frames, it keeps nothing."""

    def __init__(self, strength: float = 0.5) -> None:
        """`strength`: 0 (hardly) to 1; the Gaussian's sigma is 0.05 times the strength of the picture's height, but at least
        half a pixel of the reduced picture: 2 pixels of 720.

        Raises:
            OptionError: another strength.
        """
        if type(strength) not in (int, float) or not 0 <= strength <= 1:
            raise OptionError(f"blur strength: got {strength!r}, expected a number from 0 to 1")
        self.strength = float(strength)

    def __call__(
        self, picture: npt.NDArray[Sample], weight: Bytes, out: npt.NDArray[Sample] | None = None
    ) -> npt.NDArray[Sample]:
        """What is behind the person, out of focus.

        Args:
            picture: `(H, W, 3) uint8`, or `(H, W) uint8`, a plane of it; or uint16, 10 bits.
            weight: the person's alpha, `(H, W) uint8, 0–255`, at the plane's own size.
            out: as `picture`, with packed rows to write to; it may be `picture` itself. A new array where not given.

        Returns:
            As `picture`. Behind the person: a guess from the surroundings.

        Raises:
            FrameError: another type, dtype or shape.
        """
        picture = check_samples("picture", picture)
        weight = check_bytes("weight", weight, picture.shape[:2])
        out = check_out(out, picture.shape, picture.dtype.type)
        sigma = _FULL_STRENGTH * self.strength * len(picture)
        factor = _reduction(sigma, len(picture))
        small = _without_person(_reduced(picture, factor), _background_share(_reduced(weight, factor)))
        return _enlarged(small, sigma, factor, out)


def soft_focus(plane: npt.NDArray[Sample], sigma: float) -> npt.NDArray[Sample]:
    """A Gaussian at reduced size, of all there is: `(H, W[, 3]) uint8` or `uint16` → the same."""
    factor = _reduction(sigma, len(plane))
    return _enlarged(_reduced(plane, factor), sigma, factor, np.empty(plane.shape, plane.dtype))


def _reduction(sigma: float, height: int) -> int:
    """By how much to reduce, a power of two: the largest that leaves enough sigma, and enough to be cheap."""
    factor = 1
    while sigma / (2 * factor) >= _SMALLEST_SIGMA or height / factor > _LARGEST_HEIGHT:
        factor *= 2
    return factor


def _reduced(plane: npt.NDArray[Sample], factor: int) -> npt.NDArray[Sample]:
    """The mean of each square of `factor`; halved again and again, which OpenCV is several times faster at."""
    while factor > 1:
        plane, factor = halved(plane), factor // 2
    return plane


def _enlarged(small: npt.NDArray[Sample], sigma: float, factor: int, out: npt.NDArray[Sample]) -> npt.NDArray[Sample]:
    """What was reduced by `factor`, blurred so that it has `sigma` of the full size, at that size."""
    # the reduction and the upsampling blur as well: variances of a box and of a triangle, together about factor² / 4
    variance = (sigma / factor) ** 2 - 0.25
    if variance > 0.04:
        blurred = cv2.GaussianBlur(small, (0, 0), math.sqrt(variance), borderType=cv2.BORDER_REPLICATE)
        small = np.asarray(blurred, small.dtype)
    return resized(small, (out.shape[0], out.shape[1]), out=out)


def _background_share(person: Bytes) -> _Floats:
    """The person's alpha → how much each pixel counts as background, `(h, w) float32`, above 0, to 1.

    The person is taken one pixel larger than the mask: a mask's outermost pixels still hold some of the person's colour.
    """
    larger = cv2.dilate(person, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.max(cv2.LUT(larger, _SHARE), cv2.LUT(person, _LAST_RESORT)), np.float32)


def _without_person(small: npt.NDArray[Sample], share: _Floats) -> npt.NDArray[Sample]:
    """`(h, w[, 3]) uint8` or `uint16` with what does not count as background filled from what does."""
    planes = [small] if small.ndim == 2 else cv2.split(small)
    weighted = cv2.merge([*(cv2.multiply(plane, share, dtype=cv2.CV_32F) for plane in planes), share])
    filled = _filled(np.asarray(weighted, np.float32))
    values = cv2.convertScaleAbs(filled) if small.dtype == np.uint8 else np.rint(filled).astype(np.uint16)
    pixels = cv2.extractChannel(values, 0) if small.ndim == 2 else cv2.cvtColor(values, cv2.COLOR_BGRA2BGR)
    return np.asarray(pixels, small.dtype)


def _filled(weighted: _Floats) -> _Floats:
    """`(h, w, n + 1) float32`: values times their share, and the share → the same with a share of 1 everywhere.

    What a pixel lacks comes from the picture of half the size, and what that one lacks from its half.
    """
    height, width, channels = weighted.shape
    if height == width == 1:
        return weighted / weighted[..., -1:]
    lack = 1 - weighted[..., -1]
    if lack.max() < _COMPLETE:
        return weighted
    half = cv2.resize(weighted, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
    # a pixel of the half is complete as soon as one of its four is
    gain = 1 / np.maximum(cv2.extractChannel(half, channels - 1), np.float32(0.25))
    coarse = _filled(np.asarray(cv2.multiply(half, cv2.merge([gain] * channels)), np.float32))
    behind = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.add(weighted, cv2.multiply(behind, cv2.merge([lack] * channels))), np.float32)
