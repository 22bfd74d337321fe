"""The frames that vectors are made of: drawn ones in the shapes that show faults of a resize, or pictures of the user's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from segexport.errors import CalibrationError
from segexport.pictures.files import Picture, draw_pictures, list_pictures, read_picture

MOST_SIDE = 512
"""Pixels on the long side of a picture: a check needs no more, and alpha takes four bytes a pixel."""

# width and height in the network's; the odd ones are made odd
_SHAPES = (("same", 1.0, 1.0), ("landscape", 1.25, 0.7), ("portrait_odd", 0.7, 1.03), ("small_odd", 0.38, 0.29))
_DRAWN_SIDE = 384
_MOVES = ((0, 0), (0, 0), (2, 1), (9, 4))  # pixels right and down: a still frame, a small and a large move


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorFrame:
    """`pixels (H, W, 3) uint8, BGR`; the name is part of file names and never that of a user's file."""

    name: str
    pixels: Picture


def drawn_frames(count: int, width: int, height: int) -> tuple[VectorFrame, ...]:
    """`count` drawn frames for a network of `width` by `height`: as large, landscape, portrait, smaller, and again."""
    return tuple(
        VectorFrame(name=f"{index + 1}_{name}", pixels=_shrunk(picture, max(1, w), max(1, h)))
        for index, (picture, (name, w, h)) in enumerate(
            zip(draw_pictures(count, size=_DRAWN_SIDE), _shapes(count, width, height), strict=True)
        )
    )


def picture_frames(folder: Path, count: int) -> tuple[VectorFrame, ...]:
    """The first `count` pictures in the order of their names, at most `MOST_SIDE` on the long side.

    Raises:
        CalibrationError: no folder, no picture in it, or one that cannot be read.
    """
    return tuple(
        VectorFrame(name=f"{index + 1}_picture", pixels=_read(path))
        for index, path in enumerate(list_pictures(folder)[:count])
    )


def moving_frames(frame: VectorFrame) -> tuple[VectorFrame, ...]:
    """Four frames of one stream, three quarters as wide and high: a still one with a little noise, then two moves."""
    height, width = frame.pixels.shape[:2]
    w, h = max(1, 3 * width // 4), max(1, 3 * height // 4)
    return tuple(
        VectorFrame(name=f"{index + 1}_stream", pixels=_noisy(_window(frame.pixels, w, h, x, y), index))
        for index, (x, y) in enumerate(_MOVES)
    )


def _shapes(count: int, width: int, height: int) -> Iterator[tuple[str, int, int]]:
    for index in range(count):
        name, x, y = _SHAPES[index % len(_SHAPES)]
        odd = int(name.endswith("odd"))
        yield name, round(x * width) | odd, round(y * height) | odd


def _read(path: Path) -> Picture:
    read = read_picture(path)
    if isinstance(read, str):
        raise CalibrationError(f"{path}: {read}, expected a picture; take it out of the folder or repair it")
    height, width = read.pixels.shape[:2]
    scale = min(1.0, MOST_SIDE / max(height, width))
    return _shrunk(read.pixels, max(1, round(width * scale)), max(1, round(height * scale)))


def _shrunk(picture: Picture, width: int, height: int) -> Picture:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _window(picture: Picture, width: int, height: int, x: int, y: int) -> Picture:
    """`width` by `height` from the middle, moved by `x` and `y` as far as the picture goes."""
    left = min((picture.shape[1] - width) // 2 + x, picture.shape[1] - width)
    top = min((picture.shape[0] - height) // 2 + y, picture.shape[0] - height)
    return np.ascontiguousarray(picture[top : top + height, left : left + width])


def _noisy(picture: Picture, seed: int) -> Picture:
    noise = np.random.default_rng(seed).integers(-2, 3, picture.shape)
    return np.asarray(np.clip(picture + noise, 0, 255), np.uint8)
