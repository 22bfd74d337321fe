"""How large a picture says it is, before anything is allocated for it."""

from __future__ import annotations

import struct

from segruntime.picture_files.structure import heif_properties, jpeg_segments, picture_kind, tiff_fields

_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WIDTH, _HEIGHT = 256, 257  # tags of TIFF


def declared_size(data: bytes) -> tuple[int, int]:
    """Width and height as the header says, of HEIF and AVIF the largest of its pictures; (0, 0) where it says nothing."""
    kind = picture_kind(data)
    if kind == "png" and len(data) >= 24:
        width, height = struct.unpack_from(">II", data, 16)
        return width, height
    if kind == "webp":
        return _webp_size(data)
    if kind == "gif" and len(data) >= 10:
        width, height = struct.unpack_from("<HH", data, 6)
        return width, height
    if kind == "tiff":
        found = tiff_fields(data, frozenset({_WIDTH, _HEIGHT}))
        return int.from_bytes(found.get(_WIDTH, b""), "big"), int.from_bytes(found.get(_HEIGHT, b""), "big")
    if kind == "bmp" and len(data) >= 26:
        width, height = struct.unpack_from("<ii", data, 18) if data[14] >= 40 else struct.unpack_from("<HH", data, 18)
        return abs(width), abs(height)
    return _heif_size(data) if kind in ("heif", "avif") else _jpeg_size(data)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    for marker, at, _ in jpeg_segments(data):
        if marker in _START_OF_FRAME and at + 9 <= len(data):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
    return 0, 0


def _heif_size(data: bytes) -> tuple[int, int]:
    """Of all `ispe` properties: one of a tile is smaller than that of the picture it is a part of."""
    sizes = (
        struct.unpack(">II", value[4:12]) for name, value in heif_properties(data) if name == b"ispe" and value[11:]
    )
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    return width, height


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
