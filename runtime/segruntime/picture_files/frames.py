"""The frames of an animated GIF, WebP, PNG or AVIF, whole as they are shown: Pillow disposes, blends and composes."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from segruntime.errors import PictureError
from segruntime.picture_files.embedded import ColourFacts, colour_facts
from segruntime.picture_files.libraries import require_avif, require_pillow
from segruntime.picture_files.pixels import StillPicture, split_rgba, turned
from segruntime.picture_files.sizes import declared_size
from segruntime.picture_files.srgb import conversion
from segruntime.picture_files.structure import Container, picture_kind

_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    RuntimeError,
    struct.error,
    IndexError,
    KeyError,
    MemoryError,
    ArithmeticError,
)
_HEAD = 64 * 1024
_MOST_PIXELS = 8192 * 8192
_ORIENTATION = 274
_SHOWN_FOR_LESS = Fraction(1, 10)
_WHAT = "a GIF, an AVIF or an animated picture"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnimationFrame:
    """A frame as it is shown, and for how long, in seconds.

    A delay of 0 is 0.1 s, one of 0.01 s in a GIF as well: as browsers and ffmpeg show them.
    """

    picture: StillPicture
    duration_s: Fraction


class AnimationReader:
    """Iterates over frames, one in memory at a time; also over the one of a still GIF or AVIF.

    `plays`: how often it is shown, 0: without end.
    """

    def __init__(self, file: BinaryIO, most_pixels: int = _MOST_PIXELS) -> None:
        """`most_pixels`: of a frame.

        Raises:
            MissingExtraError: Pillow is not installed. PictureError: it cannot be read.
        """
        self._file, self._most = file, most_pixels
        head = file.read(_HEAD)
        kind = picture_kind(head)
        width, height = declared_size(head)
        self._check(width, height)
        file.seek(0)
        with pillow_refusals():
            self._image = _opened(file, kind)
            turn = self._image.getexif().get(_ORIENTATION, 1)
        self.notes = self._convert_by(head, kind)
        self._least_s = Fraction(2, 100) if kind == "gif" else Fraction(1, 1000)
        self.plays = _plays(self._image.info.get("loop"), kind)
        self._turn = turn if isinstance(turn, int) else 1

    @classmethod
    def of_bytes(cls, data: bytes, most_pixels: int) -> AnimationReader:
        """The same of a file's bytes."""
        return cls(io.BytesIO(data), most_pixels)

    @classmethod
    def of_file(cls, path: Path) -> AnimationReader:
        """The same of a file, which is closed with the reader.

        Raises:
            PictureError: it cannot be opened. MissingExtraError: Pillow is not installed.
        """
        try:
            file = path.open("rb")
        except OSError as error:
            raise PictureError(str(error.strerror or error)) from error
        try:
            return cls(file)
        except BaseException:
            file.close()
            raise

    def __enter__(self) -> AnimationReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._image.close()
        self._file.close()

    def __iter__(self) -> Iterator[AnimationFrame]:
        """Raises PictureError: what follows cannot be decoded."""
        number = 1 if self._image.info.get("default_image") else 0  # of a PNG that is no frame of its animation
        while self._seek(number):
            self._check(*self._image.size)
            yield self._frame()
            number += 1

    def _check(self, width: int, height: int) -> None:
        if width * height > self._most:
            raise PictureError(f"is {width}x{height}, at most {self._most // 10**6} million pixels are read")

    def _seek(self, number: int) -> bool:
        with pillow_refusals():
            try:
                self._image.seek(number)
            except EOFError:
                return False
        return True

    def _frame(self) -> AnimationFrame:
        with pillow_refusals():
            rgba = np.asarray(self._image.convert("RGBA"))
        picture = turned(split_rgba(rgba, self.notes), self._turn)
        if self._convert is not None:
            picture = replace(picture, pixels=self._convert(picture.pixels))
        delay_ms = self._image.info.get("duration") or 0
        duration_s = Fraction(delay_ms).limit_denominator(_FINEST) / 1000
        return AnimationFrame(
            picture=picture, duration_s=duration_s if duration_s >= self._least_s else _SHOWN_FOR_LESS
        )

    def _convert_by(self, head: bytes, kind: Container | None) -> tuple[str, ...]:
        codes = colour_facts(head, kind).codes
        facts = ColourFacts(profile=self._image.info.get("icc_profile") or b"", codes=codes)
        self._convert, note = conversion(facts)
        return () if note is None else (note,)


_FINEST = 3003  # 1001/30 ms and the like


@contextmanager
def pillow_refusals() -> Iterator[None]:
    """What Pillow raises for a file that is cut off, broken or absurdly large → PictureError, in a few words."""
    image_module = require_pillow(_WHAT)
    try:
        yield
    except (*_DAMAGED, image_module.DecompressionBombError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise PictureError(" ".join(why.split())[:120]) from error


@contextmanager
def named(path: Path) -> Iterator[None]:
    """A refusal within says which file it is about."""
    try:
        yield
    except PictureError as error:
        raise PictureError(f"{path}: {error}, expected an animation that is whole; copy it again") from error


def _opened(file: BinaryIO, kind: Container | None) -> Any:
    if kind == "avif":
        return require_avif().AvifImageFile(file)
    require_pillow(_WHAT)
    from PIL import GifImagePlugin, PngImagePlugin, WebPImagePlugin

    if kind == "gif":
        return GifImagePlugin.GifImageFile(file)
    if kind == "webp":
        return WebPImagePlugin.WebPImageFile(file)
    if kind == "png":
        return PngImagePlugin.PngImageFile(file)
    raise PictureError("of no kind that has frames")


def _plays(loop: int | None, kind: Container | None) -> int:
    """GIF counts how often it is shown again, and says nothing for once; WebP and PNG how often it is shown."""
    if kind != "gif":
        return loop or 0
    return 1 if loop is None else loop + 1 if loop else 0
