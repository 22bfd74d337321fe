"""Pixels → the bytes of a reply."""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np

from segruntime.arrays import Bytes
from segruntime.preprocess import Frame

Encoded = memoryview
MaskFormat = Literal["png", "raw"]
PictureFormat = Literal["jpeg", "png"]
MEDIA_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "raw": "application/octet-stream"}
# a cut-out is made for one client and thrown away, so time counts more than bytes
_PNG_OPTIONS = (cv2.IMWRITE_PNG_COMPRESSION, 1)


def encode_png(pixels: Bytes) -> Encoded:
    """`(H, W) uint8` gray, `(H, W, 3)` BGR or `(H, W, 4)` BGRA."""
    return _encoded(".png", pixels, _PNG_OPTIONS)


def encode_mask(alpha: Bytes, form: MaskFormat) -> Encoded:
    """`(H, W) uint8`, 0–255 → a gray PNG, or the H·W bytes themselves, row after row."""
    return encode_png(alpha) if form == "png" else _view(alpha)


def encode_picture(pixels: Frame, form: PictureFormat, quality: int) -> Encoded:
    """`(H, W, 3) uint8, BGR`; `quality`: of a JPEG, 1 to 100."""
    return encode_png(pixels) if form == "png" else _encoded(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, quality))


def cutout(frame: Frame, alpha: Bytes) -> Bytes:
    """`(H, W, 3) uint8, BGR` and `(H, W) uint8` → `(H, W, 4) uint8, BGRA`, straight alpha.

    Where alpha is 0 the colour is black: what was removed is not in the file any more.
    """
    kept = cv2.bitwise_and(frame, frame, mask=alpha)
    return np.asarray(cv2.merge([*cv2.split(kept), alpha]), np.uint8)


def _encoded(ending: str, pixels: Bytes, options: tuple[int, int]) -> Encoded:
    _, data = cv2.imencode(ending, pixels, options)
    return _view(data)


def _view(pixels: Bytes) -> Encoded:
    flat: Any = np.ascontiguousarray(pixels).reshape(-1)  # a buffer, which its type says from numpy 2 on only
    return memoryview(flat)
