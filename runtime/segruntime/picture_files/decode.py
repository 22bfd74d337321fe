"""Still pictures in files → pixels as the camera held them, in sRGB, whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segruntime.errors import MissingExtraError, PictureError
from segruntime.opencv_log import quiet_opencv
from segruntime.picture_files.by_libraries import first_frame, heif_picture
from segruntime.picture_files.embedded import ColourFacts, colour_facts, orientation
from segruntime.picture_files.kinds import SUFFIXES
from segruntime.picture_files.pixels import StillPicture, straight, turned
from segruntime.picture_files.sizes import declared_size
from segruntime.picture_files.srgb import cmyk_in_srgb, in_srgb
from segruntime.picture_files.structure import (
    Container,
    has_alpha,
    is_animated_webp,
    is_whole,
    picture_kind,
    tiff_pages,
)
from segruntime.preprocess import Frame

_LARGEST_FILE = 256 * 1024 * 1024
_MOST_PIXELS = 2**28  # phone cameras give up to 200 million; decoded, each takes 3 bytes


def picture_paths(folder: Path) -> list[Path]:
    """The files below a folder, subfolders included, that a picture's ending has, in the order of their names."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def read_picture(path: Path) -> Frame:
    """`(H, W, 3) uint8, BGR`, turned as its EXIF says, in sRGB, alpha dropped; of an animation the first frame.

    Raises:
        PictureError: missing, cut off, too large, or of no kind that can be read.
        MissingExtraError: the library for its kind is not installed.
    """
    return read_still(path).pixels


def read_still(path: Path) -> StillPicture:
    """The same with its alpha, and with what was not kept of it.

    Raises:
        PictureError, MissingExtraError: see `read_picture`.
    """
    data = picture_bytes(path)
    found = data if isinstance(data, str) else decode_still(data)
    if isinstance(found, str):
        raise PictureError(f"{path}: {found}, expected a picture ({', '.join(sorted(SUFFIXES))}); copy it again")
    return found


def picture_bytes(path: Path) -> bytes | str:
    """The file's bytes, or in a few words why there are none."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            return "larger than 256 MB"
        return path.read_bytes() or "empty file"
    except OSError as error:
        return str(error.strerror or error)


def decode_picture(data: bytes) -> Frame | str:
    """A picture file's bytes → `(H, W, 3) uint8, BGR`, or in a few words why not; nothing large is allocated first.

    Raises:
        MissingExtraError: the library for its kind is not installed.
    """
    found = decode_still(data)
    return found if isinstance(found, str) else found.pixels


def decode_still(data: bytes) -> StillPicture | str:
    """The same with its alpha, and with what was not kept of it.

    Raises:
        MissingExtraError: the library for its kind is not installed.
    """
    width, height = declared_size(data)
    if width * height > _MOST_PIXELS:
        return f"declares {width}x{height} pixels, at most {_MOST_PIXELS // 10**6} million are read"
    kind = picture_kind(data)
    if not is_whole(data, kind):
        return f"{str(kind).upper()} cut off"
    if kind in ("heif", "avif") and not width * height:
        return "header is damaged"
    if kind == "heif":
        return heif_picture(data)
    if kind in ("gif", "avif") or is_animated_webp(data):
        return first_frame(data, kind, _MOST_PIXELS)
    return _by_opencv(data, kind)


def _by_opencv(data: bytes, kind: Container | None) -> StillPicture | str:
    facts = colour_facts(data, kind)
    pages = tiff_pages(data) if kind == "tiff" else 1
    notes = (f"{pages} pages in one file, the first was taken",) if pages > 1 else ()
    try:
        if by_profile := cmyk_in_srgb(data, facts.profile):
            return by_profile
    except MissingExtraError as error:
        facts, notes = (
            ColourFacts(),
            (
                *notes,
                f"its CMYK profile was not applied: {error}",
            ),
        )
    try:
        with quiet_opencv():
            found = (_with_alpha(data, kind) if has_alpha(data, kind) else None) or _opaque(data, kind)
    except cv2.error:
        return "cannot be decoded"
    return found if isinstance(found, str) else in_srgb(replace(found, notes=notes), facts)


def _opaque(data: bytes, kind: Container | None) -> StillPicture | str:
    # of a WebP only newer versions of OpenCV follow the EXIF
    flags = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if kind == "webp" else 0)
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:
        return "cannot be decoded"
    found = StillPicture(pixels=np.asarray(pixels, np.uint8))
    return turned(found, orientation(data, kind)) if kind == "webp" else found


def _with_alpha(data: bytes, kind: Container | None) -> StillPicture | None:
    """None where OpenCV gives no four channels; an alpha that is full everywhere is none."""
    four: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if four is None or four.ndim != 3 or four.shape[2] != 4 or four.dtype not in (np.uint8, np.uint16):
        return None
    alpha = np.ascontiguousarray(four[..., 3] >> 8 if four.dtype == np.uint16 else four[..., 3]).astype(np.uint8)
    shown = None if cv2.minMaxLoc(alpha)[0] == 255 else alpha
    held = 1 if kind == "tiff" else orientation(data, kind)  # OpenCV turns a TIFF in this mode too, and no other
    if four.dtype == np.uint8:
        pixels = np.asarray(cv2.cvtColor(four, cv2.COLOR_BGRA2BGR), np.uint8)
        if kind == "tiff":  # libtiff premultiplies: OpenCV's colours are those of a picture on black
            pixels = straight(pixels, alpha)
        return turned(StillPicture(pixels=pixels, alpha=shown), held)
    opaque = _opaque(data, kind)
    if isinstance(opaque, str):
        return None
    return replace(opaque, alpha=turned(StillPicture(pixels=opaque.pixels, alpha=shown), held).alpha)
