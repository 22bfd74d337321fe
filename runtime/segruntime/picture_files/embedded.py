"""What a picture file carries beside its pixels: how the camera was held, and what its colours mean."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from segruntime.picture_files.structure import (
    Container,
    heif_properties,
    jpeg_segments,
    png_chunks,
    tiff_fields,
    webp_chunks,
)

_ORIENTATION, _PROFILE = 274, 34675  # tags of TIFF 6.0 and EXIF
_MOST_PROFILE = 8 * 1024 * 1024
_APP2, _ICC = 0xE2, b"ICC_PROFILE\0"
_EXIF = b"Exif\0\0"
_PROFILE_COLOURS = (b"prof", b"rICC")


@dataclass(frozen=True, slots=True, kw_only=True)
class CodePoints:
    """Primaries and transfer in the numbers of H.273."""

    primaries: int
    transfer: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourFacts:
    """What a file says of its colours: an ICC profile, else code points; both may be missing."""

    profile: bytes = b""
    codes: CodePoints | None = None


def colour_facts(data: bytes, kind: Container | None) -> ColourFacts:
    """As the file's own bytes have them."""
    return ColourFacts(profile=icc_profile(data, kind), codes=code_points(data, kind))


def icc_profile(data: bytes, kind: Container | None) -> bytes:
    """The embedded ICC profile; nothing where there is none, and where it cannot be read."""
    if kind == "jpeg":
        return _jpeg_profile(data)
    if kind == "png":
        return _png_profile(data)
    if kind == "webp":
        return _webp_part(data, b"ICCP")
    if kind in ("heif", "avif"):
        found = (
            value[4:] for name, value in heif_properties(data) if name == b"colr" and value[:4] in _PROFILE_COLOURS
        )
        return next(found, b"")
    return tiff_fields(data, frozenset({_PROFILE})).get(_PROFILE, b"") if kind == "tiff" else b""


def code_points(data: bytes, kind: Container | None) -> CodePoints | None:
    """Of a PNG's cICP chunk, or of the first `nclx` of a HEIF or AVIF."""
    if kind == "png":
        found = next((value for name, value in png_chunks(data) if name == b"cICP" and len(value) >= 4), None)
        return CodePoints(primaries=found[0], transfer=found[1]) if found else None
    if kind in ("heif", "avif"):
        for name, value in heif_properties(data):
            if name == b"colr" and value[:4] == b"nclx" and len(value) >= 8:
                return CodePoints(
                    primaries=int.from_bytes(value[4:6], "big"), transfer=int.from_bytes(value[6:8], "big")
                )
    return None


def orientation(data: bytes, kind: Container | None) -> int:
    """The EXIF orientation of a JPEG, PNG or WebP, 1 to 8; 1 where it says nothing.

    HEIF and AVIF have properties of their own for it, which their decoders follow.
    """
    exif = b""
    if kind == "jpeg":
        parts = (data[at + 4 : end] for marker, at, end in jpeg_segments(data) if marker == 0xE1)
        exif = next((part for part in parts if part.startswith(_EXIF)), b"")
    elif kind == "png":
        exif = next((value for name, value in png_chunks(data) if name == b"eXIf"), b"")
    elif kind == "webp":
        exif = _webp_part(data, b"EXIF")
    found = tiff_fields(exif.removeprefix(_EXIF), frozenset({_ORIENTATION})).get(_ORIENTATION, b"\1")
    turned = int.from_bytes(found[:2], "big")
    return turned if 1 <= turned <= 8 else 1


def _webp_part(data: bytes, wanted: bytes) -> bytes:
    return next((value for name, value in webp_chunks(data) if name == wanted), b"")


def _jpeg_profile(data: bytes) -> bytes:
    """ICC.1:2022 B.4: parts of at most 64 kB, numbered from 1."""
    parts = {}
    for marker, at, end in jpeg_segments(data):
        content = data[at + 4 : end]
        if marker == _APP2 and content.startswith(_ICC) and len(content) > 14:
            parts[content[12]] = content[14:]
    return b"".join(parts[number] for number in sorted(parts))


def _png_profile(data: bytes) -> bytes:
    chunks = dict(png_chunks(data))
    packed = chunks.get(b"iCCP", b"").partition(b"\0")[2][1:]
    if not packed or b"cICP" in chunks:  # PNG, third edition, 4.3: the first of cICP, iCCP, sRGB counts
        return b""
    try:
        return zlib.decompressobj().decompress(packed, _MOST_PROFILE)
    except zlib.error:
        return b""
