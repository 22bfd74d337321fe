"""PNG with a palette: a byte a pixel, which OpenCV cannot write. W3C, "Portable Network Graphics", 3rd edition, 2025."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_INDEXED, _DEPTH = 3, 8


def indexed_png(places: npt.NDArray[np.uint8], palette: npt.NDArray[np.uint8]) -> bytes:
    """Bytes of a PNG file: `(h, w) uint8`, places in a palette `(256, 3) uint8, RGB`."""
    height, width = places.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each row begins with its filter: 0, none, is best for a palette
    rows[:, 1:] = places
    return _SIGNATURE + b"".join(
        (
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, _DEPTH, _INDEXED, 0, 0, 0)),
            _chunk(b"PLTE", palette.tobytes()),
            _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
