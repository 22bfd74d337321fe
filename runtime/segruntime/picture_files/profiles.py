"""Colours as a picture's profile or code points mean them → sRGB, in which everything here works and what is written is read.

Profiles of a matrix and three curves, which is what cameras, phones and screens write (ICC.1:2022 8.3.3), and gray ones of
one curve are read here; those of tables, CMYK above all, are Little CMS's work (`srgb.py`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.picture_files.embedded import CodePoints
from segruntime.preprocess import Frame

Floats = npt.NDArray[np.float64]
# columns R, G, B: IEC 61966-2-1's primaries adapted to D50 (Bradford), as ICC profiles hold them
_SRGB_D50 = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
_D65 = 0.3127, 0.3290
_PRIMARIES = {  # H.273 table 2: x and y of R, G, B, those with a white of D65
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    5: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060)),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
_MOST_TAGS = 100
_SAME_MATRIX, _SAME_CURVE = 0.002, 0.002
_CODES = 16384  # steps of linear light; the steepest part of sRGB's curve is a fifth of a level a step
_STRIP = 256  # rows whose floats are in memory at once


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourSpace:
    """`curves (3, 256)`: linear light of each level of R, G, B; `matrix (3, 3)`: linear R, G, B → those of sRGB."""

    curves: Floats
    matrix: Floats

    @property
    def is_srgb(self) -> bool:
        same_matrix = abs(self.matrix - np.eye(3)).max() < _SAME_MATRIX
        return bool(same_matrix and abs(self.curves - srgb_to_linear(_LEVELS)).max() < _SAME_CURVE)

    def convert(self, pixels: Frame) -> Frame:
        """`(H, W, 3) uint8, BGR` in these colours → the same in sRGB; what sRGB does not have is cut off."""
        table = np.ascontiguousarray(self.curves[::-1].T[None], np.float32)
        matrix = (self.matrix[::-1, ::-1] * (_CODES - 1)).astype(np.float32)
        levels, out = _levels_of_light(), np.empty_like(pixels)
        for top in range(0, len(pixels), _STRIP):
            light = cv2.transform(cv2.LUT(pixels[top : top + _STRIP], table), matrix)
            steps = np.clip(light + 0.5, 0, _CODES - 1).astype(np.uint16)
            np.take(levels, steps, out=out[top : top + _STRIP])
        return out


def srgb_to_linear(values: Floats) -> Floats:
    """Of 0–1, as IEC 61966-2-1 has it."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


_LEVELS = np.arange(256) / 255


@lru_cache(maxsize=1)
def _levels_of_light() -> npt.NDArray[np.uint8]:
    """The level of sRGB of each step of linear light."""
    light = np.arange(_CODES) / (_CODES - 1)
    signal = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(255 * signal), np.uint8)


def from_code_points(found: CodePoints) -> ColourSpace | None:
    """None where they are not known, and for HDR, whose numbers are no light of a screen.

    BT.709's own transfer is taken for sRGB's, as browsers do: pictures are made on screens.
    """
    if found.primaries not in _PRIMARIES or found.transfer in HDR_TRANSFERS:
        return None
    gamma = _GAMMAS.get(found.transfer)
    curve = srgb_to_linear(_LEVELS) if gamma is None else _LEVELS**gamma
    matrix = np.linalg.solve(_to_xyz(_PRIMARIES[1]), _to_xyz(_PRIMARIES[found.primaries]))
    return ColourSpace(curves=np.stack([curve] * 3), matrix=np.asarray(matrix, np.float64))


def _to_xyz(primaries: tuple[tuple[float, float], ...]) -> Floats:
    """Linear R, G, B → X, Y, Z of a white of D65 (SMPTE RP 177)."""
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in primaries]).T
    x, y = _D65
    return np.asarray(columns * np.linalg.solve(columns, [x / y, 1.0, (1 - x - y) / y]))


def from_icc(profile: bytes) -> ColourSpace | None:
    """Of a profile of matrix and curves, or of one gray curve; None for those of tables, and for damaged ones."""
    tags = _tags(profile)
    try:
        if profile[16:20] == b"GRAY":
            return ColourSpace(curves=np.stack([_curve(tags[b"kTRC"])] * 3), matrix=np.eye(3))
        if profile[16:20] != b"RGB " or b"A2B0" in tags:
            return None
        curves = np.stack([_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")])
        columns = [_numbers(tags[name][8:20]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        return ColourSpace(curves=curves, matrix=np.linalg.solve(_SRGB_D50, np.array(columns).T))
    except (KeyError, struct.error, ValueError):
        return None


def _tags(profile: bytes) -> dict[bytes, bytes]:
    count = min(_MOST_TAGS, int.from_bytes(profile[128:132], "big"))
    found = {}
    for at in range(132, min(132 + 12 * count, len(profile) - 11), 12):
        name, begin, length = struct.unpack_from(">4sII", profile, at)
        found[name] = profile[begin : begin + length]
    return found


def _numbers(data: bytes) -> list[float]:
    """s15Fixed16."""
    return [value / 65536 for value in struct.unpack(f">{len(data) // 4}i", data)]


def _curve(tag: bytes) -> Floats:
    """A `curv` or `para` element (ICC.1:2022 10.6, 10.18) at 256 levels → linear light of 0–1."""
    if tag[:4] == b"para":
        return _parametric(struct.unpack_from(">H", tag, 8)[0], _numbers(tag[12:40]))
    count = struct.unpack_from(">I", tag, 8)[0]
    if tag[:4] != b"curv" or count > (len(tag) - 12) // 2:
        raise ValueError("no curve")
    values = np.frombuffer(tag, ">u2", count, 12)
    if count == 0:
        return _LEVELS
    if count == 1:
        return np.asarray(_LEVELS ** (float(values[0]) / 256))
    return np.interp(_LEVELS, np.linspace(0, 1, count), values / 65535.0)


def _parametric(form: int, numbers: list[float]) -> Floats:
    count = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}.get(form, 99)
    if len(numbers) < count:
        raise ValueError("no curve")
    given = dict(zip("gabcdef", numbers[:count], strict=False))
    g, a, b = given["g"], given.get("a", 1.0), given.get("b", 0.0)
    c, d, e, f = given.get("c", 0.0), given.get("d", 0.0), given.get("e", 0.0), given.get("f", 0.0)
    if form in (1, 2):
        if a == 0:
            raise ValueError("no curve")
        d, e, f, c = -b / a, c, c, 0.0
    upper = np.maximum(a * _LEVELS + b, 0) ** g + e
    return np.clip(np.where(d <= _LEVELS, upper, c * _LEVELS + f), 0, 1)
