"""Still pictures in files: which endings, how large, whole or cut off, and decoded as the camera held them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from segruntime.errors import PictureError
from segruntime.picture_files.kinds import SUFFIXES
from segruntime.preprocess import Frame

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_LARGEST_FILE = 256 * 1024 * 1024
_MOST_PIXELS = 2**28  # phone cameras give up to 200 million; decoded, each takes 3 bytes


def picture_paths(folder: Path) -> list[Path]:
    """The files below a folder, subfolders included, that a picture's ending has, in the order of their names."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def read_picture(path: Path) -> Frame:
    """`(H, W, 3) uint8, BGR`, turned as its EXIF says, alpha dropped.

    Raises:
        PictureError: missing, cut off, too large, or of no kind that OpenCV reads.
    """
    data = picture_bytes(path)
    pixels = data if isinstance(data, str) else decode_picture(data)
    if isinstance(pixels, str):
        raise PictureError(f"{path}: {pixels}, expected a picture ({', '.join(sorted(SUFFIXES))}); copy it again")
    return pixels


def picture_bytes(path: Path) -> bytes | str:
    """The file's bytes, or in a few words why there are none."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            return "larger than 256 MB"
        return path.read_bytes() or "empty file"
    except OSError as error:
        return str(error.strerror or error)


def decode_picture(data: bytes) -> Frame | str:
    """A picture file's bytes → `(H, W, 3) uint8, BGR`, or in a few words why not; nothing large is allocated first."""
    width, height = declared_size(data)
    if width * height > _MOST_PIXELS:
        return f"declares {width}x{height} pixels, at most {_MOST_PIXELS // 10**6} million are read"
    if data[:3] == _JPEG and not _jpeg_is_whole(data):
        return "JPEG cut off"
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return "cannot be decoded"
    return "cannot be decoded" if pixels is None else np.asarray(pixels, np.uint8)


def picture_kind(data: bytes) -> Literal["png", "jpeg", "webp"] | None:
    """By the first bytes; None for other kinds."""
    if data[:8] == _PNG:
        return "png"
    if data[:3] == _JPEG:
        return "jpeg"
    return "webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def declared_size(data: bytes) -> tuple[int, int]:
    """Width and height as the header of a PNG, JPEG or WebP says; (0, 0) for other kinds and broken headers."""
    kind = picture_kind(data)
    if kind == "png" and len(data) >= 24:
        width, height = struct.unpack_from(">II", data, 16)
        return width, height
    if kind == "webp":
        return _webp_size(data)
    for marker, at, _ in _jpeg_segments(data):
        if marker in _START_OF_FRAME and at + 9 <= len(data):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
    return 0, 0


def _webp_size(data: bytes) -> tuple[int, int]:
    """The three layouts of RFC 9649: lossy, lossless, extended."""
    kind, part = data[12:16], data[20:30]
    if len(part) < 10:
        return 0, 0
    if kind == b"VP8 " and part[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", part, 6)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and part[0] == 0x2F:
        bits = int.from_bytes(part[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8X":
        return 1 + int.from_bytes(part[4:7], "little"), 1 + int.from_bytes(part[7:10], "little")
    return 0, 0


def _jpeg_is_whole(data: bytes) -> bool:
    """Whether an end marker follows the picture's own data; decoders fill a cut one with gray and say nothing."""
    # from the start of the first scan on, a 0xFFD9 can only be the end
    return any(marker == 0xDA and data.find(b"\xff\xd9", end) >= 0 for marker, _, end in _jpeg_segments(data))


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment of a JPEG up to its first scan; nothing for other kinds."""
    at = 2 if data[:3] == _JPEG else len(data)
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xFF:  # any number of fill bytes may stand before a marker
            at += 1
            continue
        yield marker, at, at + 2 + length
        if marker == 0xDA:
            return
        at += 2 + length
