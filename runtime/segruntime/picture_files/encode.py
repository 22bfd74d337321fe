"""A picture's pixels → the bytes of a file of the kind that its ending names."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np

from segruntime.arrays import Bytes
from segruntime.opencv_log import quiet_opencv
from segruntime.picture_files.libraries import require_avif, require_heif, require_pillow
from segruntime.picture_files.writers import in_256_colours

HEIF = (".heic", ".heif", ".hif")
WITH_ALPHA = (".png", ".apng", ".webp", ".tif", ".tiff", ".avif", ".gif", *HEIF)
_SAME = {".jpe": ".jpg", ".jfif": ".jpg", ".apng": ".png"}
"""Endings that OpenCV does not know everywhere → those of the same kind."""
_QUALITY = {
    ".jpg": (cv2.IMWRITE_JPEG_QUALITY, 95),
    ".jpeg": (cv2.IMWRITE_JPEG_QUALITY, 95),
    ".png": (cv2.IMWRITE_PNG_COMPRESSION, 3),
}
_HEIF_QUALITY, _AVIF_QUALITY = 90, 85
_HEIF_MODES = {3: "BGR", 4: "BGRA"}


def encode_picture(suffix: str, image: Bytes) -> bytes | str:
    """`(H, W) uint8` gray, `(H, W, 3)` BGR or `(H, W, 4)` BGRA → the file, or in a few words why not.

    Raises:
        MissingExtraError: the library for this kind is not installed.
    """
    if suffix in HEIF:
        return _heif(image)
    if suffix in (".avif", ".gif"):
        return _by_pillow(suffix, image)
    suffix = _SAME.get(suffix, suffix)
    try:
        with quiet_opencv():
            ok, data = cv2.imencode(suffix, image, _QUALITY.get(suffix, ()))
    except cv2.error as error:
        return f"OpenCV cannot write {suffix} ({' '.join(str(error).split())[:120]})"
    return data.tobytes() if ok else f"OpenCV cannot write this picture as {suffix}; choose .png"


def _heif(image: Bytes) -> bytes | str:
    library = require_heif()
    if image.ndim == 2:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
    mode, size = _HEIF_MODES[image.shape[2]], (image.shape[1], image.shape[0])
    into = io.BytesIO()
    try:
        library.from_bytes(mode=mode, size=size, data=image.tobytes()).save(into, quality=_HEIF_QUALITY)
    except (OSError, ValueError, RuntimeError) as error:
        return f"libheif cannot write this picture ({' '.join(str(error).split())[:120]}); choose .png"
    return into.getvalue()


def _by_pillow(suffix: str, image: Bytes) -> bytes | str:
    if suffix == ".avif":
        require_avif()
    into, how = io.BytesIO(), _pillow_settings(suffix, image)
    try:
        _pillow_image(suffix, image).save(into, suffix[1:].upper(), **how)
    except (OSError, ValueError) as error:
        return f"Pillow cannot write this picture ({' '.join(str(error).split())[:120]}); choose .png"
    return into.getvalue()


def _pillow_settings(suffix: str, image: Bytes) -> dict[str, Any]:
    if suffix == ".avif":
        return {"quality": _AVIF_QUALITY}
    return {"transparency": 255} if image.ndim == 3 and image.shape[2] == 4 else {}


def _pillow_image(suffix: str, image: Bytes) -> Any:
    module = require_pillow("a GIF")
    if suffix == ".gif":
        return in_256_colours(image)
    if image.ndim == 2:
        return module.fromarray(image)
    return module.fromarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGB))
