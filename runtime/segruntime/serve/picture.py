"""Bytes from a stranger → pixels: the kind by its first bytes, the size by its header, and only then the decoder."""

from __future__ import annotations

import io

from segruntime.errors import MissingExtraError
from segruntime.picture_files import declared_size, decode_picture, picture_kind
from segruntime.picture_files.animated import frames_of
from segruntime.preprocess import Frame
from segruntime.serve.body import PICTURES
from segruntime.serve.errors import RefusedError

_KINDS = ("jpeg", "png", "webp", "heif", "avif")


def decode(data: bytes, most_pixels: int) -> Frame:
    """A JPEG, PNG, WebP, HEIC or AVIF → `(H, W, 3) uint8, BGR`, turned as it says, in sRGB, alpha dropped.

    Raises:
        RefusedError: another kind, an animation, or one whose library is not installed (415), more pixels than that
            (413), or damaged (400).
    """
    kind = picture_kind(data)
    if kind not in _KINDS:
        start = data[:8].hex(" ") or "nothing"
        raise RefusedError(415, f"picture: starts with {start}, expected a {PICTURES}; convert it first")
    if frames_of(io.BytesIO(data), 2) > 1:
        raise RefusedError(415, "picture: is an animation, expected one that stands still; send its frames one by one")
    width, height = declared_size(data)
    if width * height > most_pixels:
        raise RefusedError(
            413, f"picture: declares {width}x{height} pixels, expected at most {most_pixels} in all; send a smaller one"
        )
    try:
        pixels = decode_picture(data) if width * height else "header is damaged"
    except MissingExtraError as error:
        raise RefusedError(
            415, f"picture: this server does not read {kind.upper()}, expected a JPEG, PNG or WebP; convert it first"
        ) from error
    if isinstance(pixels, str):
        raise RefusedError(400, f"picture: {pixels} ({len(data)} bytes), expected a whole {PICTURES}; send it again")
    return pixels
