"""Bytes from a stranger → pixels: the kind by its first bytes, the size by its header, and only then the decoder."""

from __future__ import annotations

import struct

from segruntime.picture_files import _declared_size as png_or_jpeg_size
from segruntime.picture_files import decode_picture
from segruntime.preprocess import Frame
from segruntime.serve.errors import RefusedError

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


def decode(data: bytes, most_pixels: int) -> Frame:
    """A JPEG, PNG or WebP → `(H, W, 3) uint8, BGR`, turned as its EXIF says, alpha dropped.

    Raises:
        RefusedError: another kind (415), more pixels than that (413), or damaged (400).
    """
    width, height = declared_size(data)
    if width * height > most_pixels:
        raise RefusedError(
            413, f"picture: declares {width}x{height} pixels, expected at most {most_pixels} in all; send a smaller one"
        )
    pixels = decode_picture(data) if width * height else "header is damaged"
    if isinstance(pixels, str):
        raise RefusedError(
            400, f"picture: {pixels} ({len(data)} bytes), expected a whole JPEG, PNG or WebP; send it again"
        )
    return pixels


def declared_size(data: bytes) -> tuple[int, int]:
    """Width and height as the header says; (0, 0) where it is damaged.

    Raises:
        RefusedError: no JPEG, PNG or WebP (415).
    """
    if data[:8] == _PNG or data[:3] == _JPEG:
        return png_or_jpeg_size(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp_size(data)
    raise RefusedError(
        415, f"picture: starts with {data[:8].hex(' ') or 'nothing'}, expected a JPEG, PNG or WebP; convert it first"
    )


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
