"""Animations, written frame by frame as they come: no more than one is in memory, however many there are.

A library encodes each frame: OpenCV a PNG or WebP, Pillow a GIF. What stands around the frames is written here, for the
libraries' own writers of animations hold all frames until the last is there.
"""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from typing import Any, BinaryIO, Protocol

import cv2
import numpy as np

from segruntime.arrays import Bytes
from segruntime.opencv_log import quiet_opencv
from segruntime.picture_files.libraries import require_pillow
from segruntime.picture_files.structure import PNG, webp_chunks

_WEBP_QUALITY = 90
_MOST_SHORT = 0xFFFF
_CLEAR = 255  # the number of GIF's transparent colour


class AnimationWriter(Protocol):
    """Writes to an open file. `finest_s`: the shortest time that a frame can be shown."""

    finest_s: Fraction

    def add(self, image: Bytes, shown: tuple[Fraction, Fraction]) -> None:
        """One frame, `(H, W) uint8` gray, `(H, W, 3)` BGR or `(H, W, 4)` BGRA, all of one form; shown from when to when, in s.

        Raises:
            OSError: the disk is full. ValueError: the frame is too large for this kind.
        """
        ...

    def finish(self) -> None:
        """Write what stands at the end, and the lengths at the beginning."""
        ...


class ApngWriter:
    """An animated PNG (PNG, third edition, 11.3.6)."""

    finest_s = Fraction(1, 1000)

    def __init__(self, file: BinaryIO, plays: int) -> None:
        self._file, self._plays = file, plays
        self._frames = self._chunks = 0
        self._control = 0

    def add(self, image: Bytes, shown: tuple[Fraction, Fraction]) -> None:
        header, pixels = _png_parts(_encoded(".png", image, (cv2.IMWRITE_PNG_COMPRESSION, 3)))
        if self._frames == 0:
            self._file.write(PNG + _chunk(b"IHDR", header))
            self._control = self._file.tell()
            self._write_control()
        width, height = struct.unpack_from(">II", header)
        delay = _short_fraction(shown[1] - shown[0])
        place = struct.pack(">IIIII", self._chunks, width, height, 0, 0)
        self._file.write(_chunk(b"fcTL", place + struct.pack(">HHBB", delay.numerator, delay.denominator, 0, 0)))
        self._chunks += 1
        if self._frames == 0:
            self._file.write(_chunk(b"IDAT", pixels))
        else:
            self._file.write(_chunk(b"fdAT", struct.pack(">I", self._chunks) + pixels))
            self._chunks += 1
        self._frames += 1

    def finish(self) -> None:
        self._file.write(_chunk(b"IEND", b""))
        self._file.seek(self._control)
        self._write_control()

    def _write_control(self) -> None:
        self._file.write(_chunk(b"acTL", struct.pack(">II", self._frames, self._plays)))


class WebpWriter:
    """An animated WebP (RFC 9649, 2.7), its frames lossy, its alpha not."""

    finest_s = Fraction(1, 1000)

    def __init__(self, file: BinaryIO, plays: int) -> None:
        self._file, self._plays = file, min(plays, _MOST_SHORT)
        self._size: tuple[int, int] | None = None

    def add(self, image: Bytes, shown: tuple[Fraction, Fraction]) -> None:
        data = _encoded(".webp", image, (cv2.IMWRITE_WEBP_QUALITY, _WEBP_QUALITY))
        height, width = image.shape[:2]
        if self._size is None:
            self._size = width, height
            alpha = 0x10 if image.ndim == 3 and image.shape[2] == 4 else 0
            extended = bytes([0x02 | alpha, 0, 0, 0]) + _three(width - 1) + _three(height - 1)
            self._file.write(b"RIFF\0\0\0\0WEBP" + _riff(b"VP8X", extended))
            self._file.write(_riff(b"ANIM", struct.pack("<IH", 0, self._plays)))
        delay_ms = min((1 << 24) - 1, round(shown[1] * 1000) - round(shown[0] * 1000))
        parts = b"".join(_riff(name, content) for name, content in webp_chunks(data) if name in _BITSTREAM)
        no_blending = b"\x02"
        place = bytes(6) + _three(width - 1) + _three(height - 1) + _three(delay_ms) + no_blending
        self._file.write(_riff(b"ANMF", place + parts))

    def finish(self) -> None:
        length = self._file.tell()
        self._file.seek(4)
        self._file.write(struct.pack("<I", length - 8))


class GifWriter:
    """A GIF, each frame in 256 colours of its own, dithered; alpha is all or nothing, from a half on."""

    finest_s = Fraction(2, 100)  # players show shorter ones for 0.1 s

    def __init__(self, file: BinaryIO, plays: int) -> None:
        """
        Raises:
            MissingExtraError: Pillow is not installed.
        """
        require_pillow("a GIF")
        self._file, self._plays, self._begun = file, plays, False

    def add(self, image: Bytes, shown: tuple[Fraction, Fraction]) -> None:
        from PIL import GifImagePlugin

        if not self._begun:
            self._begin(image)
        clear = image.ndim == 3 and image.shape[2] == 4
        how: dict[str, Any] = {"transparency": _CLEAR, "disposal": 2} if clear else {"disposal": 1}
        hundredths = min(_MOST_SHORT, round(shown[1] * 100) - round(shown[0] * 100))
        how |= {"duration": hundredths * 10, "include_color_table": True}
        self._file.writelines(GifImagePlugin.getdata(in_256_colours(image), (0, 0), **how))

    def finish(self) -> None:
        self._file.write(b";")

    def _begin(self, image: Bytes) -> None:
        self._begun = True
        height, width = image.shape[:2]
        self._file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0))
        if self._plays != 1:
            again = min(_MOST_SHORT, max(0, self._plays - 1))
            self._file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", again, 0))


WRITERS: dict[str, type[GifWriter] | type[WebpWriter] | type[ApngWriter]] = {
    ".gif": GifWriter,
    ".webp": WebpWriter,
    ".apng": ApngWriter,
    ".png": ApngWriter,
}
"""By the ending of the file."""
_BITSTREAM = (b"ALPH", b"VP8 ", b"VP8L")


def _encoded(ending: str, image: Bytes, options: tuple[int, int]) -> bytes:
    try:
        with quiet_opencv():
            done, data = cv2.imencode(ending, image, options)
    except cv2.error as error:
        raise ValueError(" ".join(str(error).split())[:120]) from error
    if not done:
        raise ValueError(f"a frame of {image.shape[1]}x{image.shape[0]} is too large for it")
    return data.tobytes()


def in_256_colours(image: Bytes) -> Any:
    """`(H, W)`, `(H, W, 3)` BGR or `(H, W, 4)` BGRA `uint8` → a Pillow image in mode P; colour 255: an alpha below 128."""
    from PIL import Image

    if image.ndim == 2:
        gray = Image.fromarray(image)
        gray = Image.frombytes("P", gray.size, gray.tobytes())
        gray.putpalette(bytes(np.repeat(np.arange(256, dtype=np.uint8), 3)))
        return gray
    clear = image.shape[2] == 4
    rgb = Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGB if clear else cv2.COLOR_BGR2RGB))
    palette = rgb.quantize(_CLEAR if clear else 256)
    found = rgb.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    if not clear:
        return found
    numbers = np.where(image[..., 3] < 128, _CLEAR, np.asarray(found)).astype(np.uint8)
    made = Image.frombytes("P", found.size, numbers.tobytes())
    made.putpalette(bytes(palette.getpalette() or []).ljust(768, b"\0"))
    return made


def _png_parts(data: bytes) -> tuple[bytes, bytes]:
    """The header and the picture's own data, which may stand in several chunks."""
    at, header, parts = len(PNG), b"", []
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        name, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        header = content if name == b"IHDR" else header
        parts += [content] if name == b"IDAT" else []
        at += 12 + length
    return header, b"".join(parts)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _riff(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) & 1)


def _three(number: int) -> bytes:
    return number.to_bytes(3, "little")


def _short_fraction(seconds: Fraction) -> Fraction:
    """The nearest one whose numbers have 16 bits."""
    found = seconds.limit_denominator(_MOST_SHORT)
    return found if found.numerator <= _MOST_SHORT else Fraction(min(_MOST_SHORT, round(seconds)))
