"""Arrays as pictures inside the page: data: URIs, small in bytes."""

from __future__ import annotations

import base64

import cv2
import numpy as np
import numpy.typing as npt

from segexport.report.page.views import Frame, Mask

LONGEST_SIDE = 320
_JPEG_QUALITY = 82
_SHADES = np.uint8(0b11111100)  # 64 are as many as an eye tells apart, and take half the bytes of noise
_LOSSLESS = 101  # above 100, as OpenCV has it
_Bytes = npt.NDArray[np.uint8]


def photo(frame: Frame) -> str:
    """A JPEG of `(H, W, 3) uint8, BGR, 0–255`."""
    small = cv2.resize(frame, _fitting(frame), interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return _uri("jpeg", data.tobytes())


def gray(mask: Mask) -> str:
    """A PNG of `(h, w) float32, 0–1`; the person is white."""
    small = cv2.resize(_bytes(mask), _fitting(mask), interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".png", small, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return _uri("png", data.tobytes())


def heat(difference: Mask, most: float) -> str:
    """A lossless WebP of differences `(h, w) float32`, black for 0 to yellow for `most`, on matplotlib's inferno.

    Colours follow the square root, so that a quarter of `most` has the middle one: nearly all differences are far below the
    largest. Where the picture is made smaller, a pixel shows the largest difference of those it stands for.
    """
    width, height = _fitting(difference)
    step = max(1, round(max(difference.shape) / max(width, height)))
    spots = cv2.dilate(_bytes(np.sqrt(np.abs(difference) / most)), np.ones((step, step), np.uint8))
    small = np.asarray(cv2.resize(spots, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    return _inferno(small)


def heat_scale() -> str:
    """The colours of `heat` from 0 to the most, as a strip of 256 pixels."""
    return _inferno(np.arange(256, dtype=np.uint8).reshape(1, 256))


def _inferno(shares: _Bytes) -> str:
    """`(h, w) uint8`; WebP, for OpenCV's PNG has no palette and takes three times the bytes."""
    coloured = cv2.applyColorMap(shares & _SHADES, cv2.COLORMAP_INFERNO)
    _, data = cv2.imencode(".webp", coloured, [cv2.IMWRITE_WEBP_QUALITY, _LOSSLESS])
    return _uri("webp", data.tobytes())


def _bytes(shares: Mask) -> _Bytes:
    within = np.clip(np.nan_to_num(shares, nan=1.0, posinf=1.0), 0, 1)
    return np.asarray(np.rint(255 * within), np.uint8)


def _fitting(array: npt.NDArray[np.generic]) -> tuple[int, int]:
    """(width, height) with the longest side at most 320."""
    height, width = array.shape[:2]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
