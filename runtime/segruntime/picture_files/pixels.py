"""A picture's pixels in memory, and turned as the camera was held."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from segruntime.arrays import Plane
from segruntime.preprocess import Frame

# by the EXIF orientation: mirrored left to right first, then turned
_TURNS: dict[int, tuple[bool, int | None]] = {
    2: (True, None),
    3: (False, cv2.ROTATE_180),
    4: (True, cv2.ROTATE_180),
    5: (True, cv2.ROTATE_90_COUNTERCLOCKWISE),
    6: (False, cv2.ROTATE_90_CLOCKWISE),
    7: (True, cv2.ROTATE_90_CLOCKWISE),
    8: (False, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StillPicture:
    """`pixels (H, W, 3) uint8, BGR`, upright and in sRGB; `alpha (H, W) uint8` where it is not full everywhere.

    `notes`: what of the file was not kept, in a few words each.
    """

    pixels: Frame
    alpha: Plane | None = None
    notes: tuple[str, ...] = ()


def turned(picture: StillPicture, orientation: int) -> StillPicture:
    """Upright, where the camera was held as `orientation` (EXIF, 1 to 8) says."""
    if orientation not in _TURNS:
        return picture
    alpha = None if picture.alpha is None else _turned(picture.alpha, orientation)
    return replace(picture, pixels=_turned(picture.pixels, orientation), alpha=alpha)


def split_rgba(rgba: Any, notes: tuple[str, ...] = ()) -> StillPicture:
    """`(H, W, 3 or 4) uint8, RGB or RGBA` → the picture; an alpha that is full everywhere is none."""
    rgba = np.asarray(rgba, np.uint8)
    if rgba.shape[2] == 3:
        return StillPicture(pixels=np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGB2BGR), np.uint8), notes=notes)
    alpha = np.ascontiguousarray(rgba[..., 3])
    pixels = np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGR), np.uint8)
    return StillPicture(pixels=pixels, alpha=None if cv2.minMaxLoc(alpha)[0] == 255 else alpha, notes=notes)


def straight(pixels: Frame, alpha: Plane) -> Frame:
    """Premultiplied `(H, W, 3) uint8` → straight; black where the alpha is 0, for nothing is left of the colour there."""
    share = np.maximum(alpha, 1)[..., None]
    return np.asarray(np.minimum((pixels.astype(np.uint16) * 255 + share // 2) // share, 255), np.uint8)


def _turned(array: Any, orientation: int) -> Any:
    mirrored, turn = _TURNS[orientation]
    array = cv2.flip(array, 1) if mirrored else array
    return np.asarray(array if turn is None else cv2.rotate(array, turn), np.uint8)
