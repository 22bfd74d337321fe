"""Still pictures of the kinds that OpenCV does not read everywhere: HEIC through libheif, AVIF and GIF through Pillow."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from segruntime.errors import PictureError
from segruntime.picture_files.embedded import CodePoints, ColourFacts
from segruntime.picture_files.frames import AnimationReader
from segruntime.picture_files.libraries import require_heif
from segruntime.picture_files.pixels import StillPicture, straight
from segruntime.picture_files.srgb import in_srgb
from segruntime.picture_files.structure import Container


def heif_picture(data: bytes) -> StillPicture | str:
    """The primary picture of a HEIC file, turned and mirrored by libheif as its own properties say; 10 bits become 8.

    EXIF says it once more in most files, and is no instruction here (ISO/IEC 23008-12, A.2.1).

    Raises:
        MissingExtraError: pillow-heif is not installed.
    """
    library = require_heif()
    try:
        found = library.open_heif(data, convert_hdr_to_8bit=True, bgr_mode=True)
        image = found[found.primary_index]
        pixels = np.array(np.asarray(image), np.uint8)[:, : image.size[0]]
    except (OSError, ValueError, SyntaxError, RuntimeError, EOFError, IndexError, KeyError, MemoryError) as error:
        return f"HEIC cannot be decoded ({' '.join(str(error).split())[:100]})"
    return in_srgb(_split(pixels, image.mode, len(found)), _facts(image.info))


def _split(pixels: Any, mode: str, count: int) -> StillPicture:
    notes = (f"{count} pictures in one file, the primary one was taken",) if count > 1 else ()
    if pixels.ndim == 2:
        return StillPicture(pixels=np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), np.uint8), notes=notes)
    if pixels.shape[2] == 3:
        return StillPicture(pixels=np.ascontiguousarray(pixels), notes=notes)
    gray = pixels.shape[2] == 2
    alpha = np.ascontiguousarray(pixels[..., -1])
    colours = np.ascontiguousarray(pixels[..., :1]) if gray else pixels
    opaque = np.asarray(cv2.cvtColor(colours, cv2.COLOR_GRAY2BGR if gray else cv2.COLOR_BGRA2BGR), np.uint8)
    if mode.endswith("a"):  # premultiplied
        opaque = straight(opaque, alpha)
    some = cv2.minMaxLoc(alpha)[0] < 255
    return StillPicture(pixels=opaque, alpha=alpha if some else None, notes=notes)


def _facts(info: dict[str, Any]) -> ColourFacts:
    nclx = info.get("nclx_profile") or {}
    codes = None
    if "color_primaries" in nclx:
        codes = CodePoints(primaries=int(nclx["color_primaries"]), transfer=int(nclx["transfer_characteristics"]))
    return ColourFacts(profile=info.get("icc_profile") or b"", codes=codes)


def first_frame(data: bytes, kind: Container | None, most_pixels: int) -> StillPicture | str:
    """Of an AVIF, a GIF or an animated WebP.

    Raises:
        MissingExtraError: Pillow is not installed, or has no AVIF.
    """
    name = str(kind).upper()
    try:
        with AnimationReader.of_bytes(data, most_pixels) as reader:
            frame = next(iter(reader), None)
    except PictureError as error:
        return f"{name} cannot be decoded ({error})"
    return f"{name} without a picture" if frame is None else frame.picture
