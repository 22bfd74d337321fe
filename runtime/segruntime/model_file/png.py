"""Lossless pictures as PNG, of the one plain kind that is written here: 8 bits, gray or colour, nothing next to the pixels.

A PNG from outside may declare any size, inflate to any size, and carry chunks that decoders disagree about. So everything is
checked against what was asked for before a decoder sees it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np

from segruntime.arrays import Bytes

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PLAIN = (b"IHDR", b"IDAT", b"IEND")
_BITS = 8
_COLOUR_TYPES = {1: 0, 3: 2}  # channels → gray, RGB
_FILTERS = 5


def encode_png(pixels: Bytes) -> bytes:
    """`(h, w) uint8` gray or `(h, w, 3) uint8, BGR` → PNG of the plain kind; the same pixels give the same bytes."""
    _, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    data = encoded.tobytes()
    return _SIGNATURE + b"".join(data[start:end] for kind, start, end in _chunks(data) if kind in _PLAIN)


def decode_png(data: bytes, channels: int, most_side: int) -> Bytes:
    """A PNG of the plain kind → `(h, w) uint8` for 1 channel, `(h, w, 3) uint8, BGR` for 3.

    Raises:
        ValueError: another kind of PNG, larger than `most_side` on a side, cut off or damaged.
    """
    chunks = list(_chunks(data))
    kinds = [kind for kind, _, _ in chunks]
    if kinds != [b"IHDR", *[b"IDAT"] * (len(kinds) - 2), b"IEND"]:
        raise ValueError("the PNG has other parts than header, pixels and end")
    height, width = _checked_header(data[16:29], channels, most_side)
    packed = b"".join(data[start + 8 : end - 4] for kind, start, end in chunks if kind == b"IDAT")
    _check_pixels(packed, height, 1 + width * channels)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.shape != ((height, width) if channels == 1 else (height, width, channels)):
        raise ValueError("the PNG cannot be decoded")
    return np.asarray(decoded, np.uint8)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each chunk; its checksum holds, and the last one ends where the data ends."""
    if data[:8] != _SIGNATURE:
        raise ValueError("it is no PNG")
    at = len(_SIGNATURE)
    while at < len(data):
        length = struct.unpack_from(">I", data, at)[0] if at + 12 <= len(data) else len(data)
        end = at + 12 + length
        if end > len(data) or zlib.crc32(data[at + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise ValueError(f"the PNG is cut off or damaged at byte {at}")
        yield data[at + 4 : at + 8], at, end
        at = end


def _checked_header(header: bytes, channels: int, most_side: int) -> tuple[int, int]:
    """Height and width."""
    if len(header) != 13:
        raise ValueError("the PNG's header is cut off")
    width, height, *kind = struct.unpack(">IIBBBBB", header)
    if not (1 <= width <= most_side and 1 <= height <= most_side):
        raise ValueError(f"the PNG declares {width}x{height} pixels, expected 1 to {most_side} on a side")
    if kind != [_BITS, _COLOUR_TYPES[channels], 0, 0, 0]:
        raise ValueError(f"the PNG is of the kind {kind}, expected {_BITS} bits and {channels} channels")
    return height, width


def _check_pixels(packed: bytes, rows: int, row_bytes: int) -> None:
    """The stream inflates to exactly the rows that the header declares, each of which names a filter that exists."""
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(packed, rows * row_bytes + 1)
    except zlib.error as error:
        raise ValueError(f"the PNG's pixels are damaged ({error})") from error
    if len(raw) != rows * row_bytes or not inflater.eof or inflater.unused_data:
        raise ValueError("the PNG holds more or fewer pixels than it declares")
    if max(raw[::row_bytes]) >= _FILTERS:
        raise ValueError("the PNG's pixels are damaged (unknown filter)")
