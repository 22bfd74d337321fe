"""The bytes of picture files before they are decoded: which kind, and the parts that a file is made of.

Every reader here takes hostile bytes: it gives fewer parts, or none, and raises nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Literal

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
Container = Literal["png", "jpeg", "webp", "gif", "tiff", "bmp", "avif", "heif"]
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1, 13: 4, 16: 8}  # BYTE ASCII SHORT LONG UNDEFINED IFD LONG8
_EXTRA_SAMPLES, _SUBFILE = 338, 254
_MOST_FIELDS = 512
_META = {b"meta": 4, b"iprp": 0, b"ipco": 0}  # boxes that hold boxes → bytes before the first


def picture_kind(data: bytes) -> Container | None:
    """By the first bytes; None for other kinds."""
    if data[:8] == PNG:
        return "png"
    if data[:3] == JPEG:
        return "jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if data[:4] in (b"II*\0", b"MM\0*"):
        return "tiff"
    if data[:2] == b"BM":
        return "bmp"
    return _iso_kind(data) if data[4:8] == b"ftyp" else None


def _iso_kind(data: bytes) -> Container | None:
    """AVIF or HEIF by the brands of ISO/IEC 23008-12; a video in the same container is neither."""
    end = min(int.from_bytes(data[:4], "big"), 512)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
    if data[8:12] in _AVIF_BRANDS or (data[8:12] in (b"mif1", b"msf1") and brands & _AVIF_BRANDS):
        return "avif"
    return "heif" if data[8:12] in _HEIF_BRANDS else None


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment of a JPEG up to its first scan; nothing for other kinds."""
    at = 2 if data[:3] == JPEG else len(data)
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xFF:  # any number of fill bytes may stand before a marker
            at += 1
            continue
        yield marker, at, at + 2 + length
        if marker == 0xDA:
            return
        at += 2 + length


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each chunk of a PNG before the picture's own data."""
    at = len(PNG)
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        name = data[at + 4 : at + 8]
        if name == b"IDAT":
            return
        yield name, data[at + 8 : at + 8 + length]
        at += 12 + length


def webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each chunk of a WebP."""
    at = 12
    while at + 8 <= len(data):
        length = struct.unpack_from("<I", data, at + 4)[0]
        yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length + (length & 1)


def tiff_fields(data: bytes, wanted: frozenset[int], start: int | None = None) -> dict[int, bytes]:
    """Of a TIFF, or of EXIF, which has the same form: the `wanted` tags of the first directory → their bytes, big-endian
    numbers for SHORT and LONG."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    found: dict[int, bytes] = {}
    if order is None or len(data) < 8:
        return found
    start = struct.unpack_from(f"{order}I", data, 4)[0] if start is None else start
    if start + 2 > len(data):
        return found
    count = struct.unpack_from(f"{order}H", data, start)[0]
    for at in range(start + 2, min(start + 2 + 12 * min(count, _MOST_FIELDS), len(data) - 11), 12):
        tag, kind, number = struct.unpack_from(f"{order}HHI", data, at)
        if tag in wanted and kind in _TYPE_BYTES:
            found[tag] = _field(data, at + 8, (order, _TYPE_BYTES[kind], number))
    return found


def _field(data: bytes, at: int, form: tuple[str, int, int]) -> bytes:
    order, width, number = form
    length = width * number
    begin = at if length <= 4 else struct.unpack_from(f"{order}I", data, at)[0]
    value = data[begin : begin + length]
    if order == "<" and width in (2, 4):
        return b"".join(value[k : k + width][::-1] for k in range(0, min(len(value), 64), width))
    return value


def tiff_pages(data: bytes) -> int:
    """The directories of a TIFF that are pictures in full size, of at most 100."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    pages, at, seen = 0, 4, 0
    while order and at + 4 <= len(data) and seen < 100:
        start = struct.unpack_from(f"{order}I", data, at)[0]
        if start == 0 or start + 2 > len(data):
            break
        count = struct.unpack_from(f"{order}H", data, start)[0]
        reduced = tiff_fields(data, frozenset({_SUBFILE}), start).get(_SUBFILE, b"\0")[-1:] == b"\1"
        pages, at, seen = pages + (not reduced), start + 2 + 12 * count, seen + 1
    return pages


def heif_properties(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each property of a HEIF's or AVIF's items (ISO/IEC 14496-12 8.11, 23008-12 6.5)."""
    yield from _boxes(data, 0, len(data), inside=False)


def _boxes(data: bytes, at: int, end: int, *, inside: bool) -> Iterator[tuple[bytes, bytes]]:
    while at + 8 <= end:
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        head = 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        stop = end if length == 0 else min(end, at + length)
        if stop < at + head:
            return
        if name in _META:
            yield from _boxes(data, at + head + _META[name], stop, inside=name == b"ipco")
        elif inside:
            yield name, data[at + head : stop]
        at = stop


def has_alpha(data: bytes, kind: Container | None) -> bool:
    """Whether a PNG, WebP, TIFF or BMP has a channel or colour of transparency, which may be full everywhere."""
    if kind == "png" and len(data) > 25:
        return data[25] in (4, 6) or any(name == b"tRNS" for name, _ in png_chunks(data))
    if kind == "webp" and len(data) > 24:
        return bool(data[20] & 0x10 if data[12:16] == b"VP8X" else data[12:16] == b"VP8L" and data[24] & 0x10)
    if kind == "bmp" and len(data) > 70:  # BITMAPV3INFOHEADER or later: 32 bits, the mask of the alpha is not 0
        return data[14] >= 56 and data[28] == 32 and any(data[66:70])
    return kind == "tiff" and _EXTRA_SAMPLES in tiff_fields(data, frozenset({_EXTRA_SAMPLES}))


def is_animated_webp(data: bytes) -> bool:
    """Whether a file says that it is a WebP with frames."""
    return data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X" and len(data) > 20 and bool(data[20] & 2)


def is_whole(data: bytes, kind: Container | None) -> bool:
    """False where a JPEG has no end marker, or a PNG's chunk is longer than the file.

    Of a cut JPEG decoders fill the rest with gray and say nothing; for a chunk OpenCV 5.0 takes as much memory as it claims.
    """
    if kind == "png":
        return _png_chunks_fit(data)
    # from the start of the first scan on, a 0xFFD9 can only be the end
    return kind != "jpeg" or any(
        marker == 0xDA and data.find(b"\xff\xd9", end) >= 0 for marker, _, end in jpeg_segments(data)
    )


def _png_chunks_fit(data: bytes) -> bool:
    at = len(PNG)
    while at + 8 <= len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        at += 12 + length
        if name == b"IEND":
            return True
    return at == len(data)
