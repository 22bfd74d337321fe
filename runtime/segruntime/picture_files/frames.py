"""The frames of an animated GIF, WebP, PNG or AVIF, whole as they are shown: Pillow disposes, blends and composes."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
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

DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, KeyError, MemoryError, PictureError)
"""What Pillow raises for a file that is cut off or broken."""
_HEAD = 64 * 1024
_MOST_PIXELS = 8192 * 8192
_ORIENTATION = 274
_SHOWN_FOR_0 = Fraction(1, 10)
_NAMES = {"gif": "a GIF", "webp": "an animated WebP", "png": "an animated PNG", "avif": "an AVIF picture"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnimationFrame:
    """A frame as it is shown, and for how long, in seconds; a delay of 0 is 0.1 s, as browsers show it."""

    picture: StillPicture
    duration_s: Fraction


class AnimationReader:
    """Iterates over frames, one in memory at a time; also over the one of a still GIF or AVIF.

    `plays`: how often it is shown, 0: without end.
    """

    def __init__(self, file: BinaryIO) -> None:
        """
        Raises:
            MissingExtraError: Pillow is not installed. PictureError or one of `DAMAGED`: it cannot be read.
        """
        self._file = file
        head = file.read(_HEAD)
        kind = picture_kind(head)
        width, height = declared_size(head)
        if width * height > _MOST_PIXELS:
            raise PictureError(f"declares {width}x{height} pixels, at most 8192x8192 are read")
        file.seek(0)
        self._image = _opened(file, kind)
        self.notes = self._convert_by(head, kind)
        self.plays = _plays(self._image.info.get("loop"), kind)
        turn = self._image.getexif().get(_ORIENTATION, 1)
        self._turn = turn if isinstance(turn, int) else 1

    @classmethod
    def of_bytes(cls, data: bytes) -> AnimationReader:
        """The same of a file's bytes."""
        return cls(io.BytesIO(data))

    @classmethod
    def of_file(cls, path: Path) -> AnimationReader:
        """The same of a file, which is closed with the reader.

        Raises:
            PictureError: it cannot be opened.
        """
        file = path.open("rb")
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
        """Raises one of `DAMAGED`: what follows cannot be decoded."""
        number = 1 if self._image.info.get("default_image") else 0  # of a PNG that is no frame of its animation
        while self._seek(number):
            width, height = self._image.size
            if width * height > _MOST_PIXELS:
                raise PictureError(f"grows to {width}x{height} pixels, at most 8192x8192 are read")
            yield self._frame()
            number += 1

    def _seek(self, number: int) -> bool:
        try:
            self._image.seek(number)
        except EOFError:
            return False
        return True

    def _frame(self) -> AnimationFrame:
        self._image.load()
        picture = turned(split_rgba(np.asarray(self._image.convert("RGBA")), self.notes), self._turn)
        if self._convert is not None:
            picture = replace(picture, pixels=self._convert(picture.pixels))
        delay_ms = self._image.info.get("duration") or 0
        duration_s = Fraction(delay_ms).limit_denominator(_FINEST) / 1000
        return AnimationFrame(picture=picture, duration_s=duration_s if duration_s > 0 else _SHOWN_FOR_0)

    def _convert_by(self, head: bytes, kind: Container | None) -> tuple[str, ...]:
        codes = colour_facts(head, kind).codes
        facts = ColourFacts(profile=self._image.info.get("icc_profile") or b"", codes=codes)
        self._convert, note = conversion(facts)
        return () if note is None else (note,)


_FINEST = 3003  # 1001/30 ms and the like


def open_animation(path: Path) -> AnimationReader:
    """The reader of an animation.

    Raises:
        PictureError: it cannot be opened. MissingExtraError: Pillow is not installed, or has no AVIF.
    """
    try:
        return AnimationReader.of_file(path)
    except DAMAGED as error:
        raise cannot_be_read(path, error) from error


def cannot_be_read(path: Path, error: Exception) -> PictureError:
    """What Pillow says, in one line."""
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return PictureError(f"{path}: {' '.join(why.split())[:200]}, expected an animation that is whole; copy it again")


def _opened(file: BinaryIO, kind: Container | None) -> Any:
    if kind == "avif":
        return require_avif().AvifImageFile(file)
    require_pillow(_NAMES.get(str(kind), "an animation"))
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
