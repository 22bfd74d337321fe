"""Bytes from a stranger → pixels: the kind by its first bytes, the size by its header, and only then the decoder."""

from __future__ import annotations

from segruntime.picture_files import declared_size, decode_picture, picture_kind
from segruntime.preprocess import Frame
from segruntime.serve.errors import RefusedError


def decode(data: bytes, most_pixels: int) -> Frame:
    """A JPEG, PNG or WebP → `(H, W, 3) uint8, BGR`, turned as its EXIF says, alpha dropped.

    Raises:
        RefusedError: another kind (415), more pixels than that (413), or damaged (400).
    """
    if picture_kind(data) is None:
        start = data[:8].hex(" ") or "nothing"
        raise RefusedError(415, f"picture: starts with {start}, expected a JPEG, PNG or WebP; convert it first")
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
