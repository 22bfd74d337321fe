"""Video frames as planes, the form in which codecs give and take them, and what their numbers mean as colours.

`Y'CbCr` from `R'G'B'` and back as ITU-T H.273 (07/2024) section 8.3 has it: `Y' = Kr R' + Kg G' + Kb B'`,
`Cb = (B' - Y') / (2 (1 - Kb))`, `Cr = (R' - Y') / (2 (1 - Kr))`, scaled to 219 and 224 steps, or to 255 in full range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.arrays import Plane, Samples
from segruntime.preprocess import Frame
from segruntime.resize import halved, resized

Planes = tuple[Samples, ...]

UNSPECIFIED = 2
BT709, BT601 = 1, 6
LIMITED, FULL = 1, 2
_LUMA_WEIGHTS = {  # Kr, Kb of H.273 table 4, by the number of the matrix
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
_SMALLEST_HD = 720


@dataclass(frozen=True, slots=True, kw_only=True)
class ColorTags:
    """What a stream says of its colours, in the numbers of H.273; of SDR, `primaries` and `transfer` are only carried along.

    `bits`: of a sample, 8 (`uint8`) or 10 (`uint16`, 0–1023). `peak`: cd/m² of the display that HDR was made on.
    """

    matrix: int = BT601
    range: int = LIMITED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    bits: int = 8
    peak: float = 1000.0


def settled_tags(tags: ColorTags, height: int) -> ColorTags:
    """The same with a matrix and a range that are known: what players take where a stream says nothing."""
    guess = BT709 if height >= _SMALLEST_HD else BT601
    return replace(
        tags,
        matrix=tags.matrix if tags.matrix in _LUMA_WEIGHTS else guess,
        range=FULL if tags.range == FULL else LIMITED,
    )


def chroma_size(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of U and V of a 4:2:0 picture."""
    return (height + 1) // 2, (width + 1) // 2


def planes_to_bgr(planes: Sequence[Samples], tags: ColorTags, size: tuple[int, int], how: str = "bilinear") -> Frame:
    """Y `(H, W)`, U and V `(⌈H/2⌉, ⌈W/2⌉) uint8` → `(h, w, 3) uint8, BGR` of `size = (h, w)`.

    Each plane is scaled first: both steps are linear, so only their rounding changes places, and a small picture for
    the network costs no conversion of the whole frame. `how`: a contract's `interpolation`.
    """
    scaled = [plane if plane.shape == size else resized(plane, size, how) for plane in planes[:3]]
    return np.asarray(cv2.transform(cv2.merge(scaled), _bgr_from_planes(tags.matrix, tags.range)), np.uint8)


def bgr_to_planes(frame: Frame, tags: ColorTags) -> Planes:
    """`(H, W, 3) uint8, BGR` → Y `(H, W)`, U and V `(⌈H/2⌉, ⌈W/2⌉) uint8`, each chroma sample the mean of its pixels."""
    y, u, v = cv2.split(cv2.transform(frame, _planes_from_bgr(tags.matrix, tags.range)))
    return tuple(
        np.asarray(plane, np.uint8) for plane in (y, halved(np.asarray(u, np.uint8)), halved(np.asarray(v, np.uint8)))
    )


def colour_to_planes(colour: Sequence[int], tags: ColorTags) -> tuple[int, int, int]:
    """One colour `(b, g, r)` of 0–255 → its Y, U and V."""
    y, u, v = bgr_to_planes(np.array([[colour]], np.uint8), tags)
    return int(y[0, 0]), int(u[0, 0]), int(v[0, 0])


def luma_table(tags: ColorTags) -> Plane:
    """What each of 256 steps from black to white is as Y, `(1, 256) uint8`."""
    steps = np.arange(256) if tags.range == FULL else 16 + np.arange(256) * 219 / 255
    return np.asarray(np.rint(steps)[None], np.uint8)


@lru_cache(maxsize=16)
def samples_from_signal(tags: ColorTags) -> npt.NDArray[np.float64]:
    """`(3, 4)`: Y, U, V in the steps of `tags.bits` from B', G', R' of 0–1 and 1."""
    eight = _planes_from_bgr(tags.matrix, tags.range)
    steps = 1 << tags.bits - 8
    scale = (1 << tags.bits) - 1 if tags.range == FULL else 255 * steps
    return np.column_stack([eight[:, :3] * scale, eight[:, 3] * steps])


@lru_cache(maxsize=16)
def signal_from_samples(tags: ColorTags) -> npt.NDArray[np.float64]:
    """`(3, 4)`: the inverse of the above."""
    return _inverse(samples_from_signal(tags))


@lru_cache(maxsize=16)
def _planes_from_bgr(matrix: int, range_: int) -> npt.NDArray[np.float64]:
    """`(3, 4)`: Y, U, V from B, G, R and 1."""
    kr, kb = _LUMA_WEIGHTS[matrix]
    y = np.array([kb, 1 - kr - kb, kr])
    u = (np.array([1.0, 0, 0]) - y) / (2 * (1 - kb))
    v = (np.array([0, 0, 1.0]) - y) / (2 * (1 - kr))
    scale_y, scale_c, black = (1.0, 1.0, 0) if range_ == FULL else (219 / 255, 224 / 255, 16)
    return np.column_stack([np.stack([y * scale_y, u * scale_c, v * scale_c]), [black, 128, 128]])


@lru_cache(maxsize=16)
def _bgr_from_planes(matrix: int, range_: int) -> npt.NDArray[np.float64]:
    """`(3, 4)`: the inverse of the above."""
    return _inverse(_planes_from_bgr(matrix, range_))


def _inverse(forward: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    inverse = np.linalg.inv(forward[:, :3])
    return np.column_stack([inverse, -inverse @ forward[:, 3]])
