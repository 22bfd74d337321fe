"""HDR signals and the light that they stand for, in cd/m², and how that is brought into the smaller range of SDR.

PQ and HLG: Recommendation ITU-R BT.2100-2, tables 4 and 5, HLG on a display of 1,000 cd/m². White of SDR: 203 cd/m², as
Report ITU-R BT.2408-7, section 2.1, places diffuse white. Tone mapping: the curve of Report ITU-R BT.2390-10, section
5.4.1, between two displays that are black at 0. SDR signals: Recommendation ITU-R BT.1886, and IEC 61966-2-1 (sRGB).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

PQ, HLG = 16, 18
"""Of H.273, table 3."""
SDR_WHITE = 203.0
HLG_PEAK = 1000.0
PQ_PEAK = 10_000.0
SYSTEM_GAMMA = 1.2
GAMMA = 2.4

_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_A = 0.17883277
_B, _C = 1 - 4 * _A, 0.5 - _A * math.log(4 * _A)
_PRIMARIES = {  # x and y of red, green, blue and white: H.273, table 2
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), (0.3127, 0.3290)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), (0.3127, 0.3290)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.3127, 0.3290)),
}

Values = npt.NDArray[np.float64]


def pq_light(signal: Values) -> Values:
    """The EOTF of PQ: signal 0–1 of any shape → cd/m²."""
    root = np.clip(signal, 0, 1) ** (1 / _M2)
    light: Values = PQ_PEAK * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1)
    return light


def pq_signal(light: Values) -> Values:
    """cd/m² → the signal of PQ, 0–1: the inverse of the above."""
    power = (np.clip(light, 0, PQ_PEAK) / PQ_PEAK) ** _M1
    signal: Values = ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2
    return signal


def hlg_scene(signal: Values) -> Values:
    """The inverse OETF of HLG: signal, 0 and above → light of the scene, 1 at signal 1."""
    signal = np.maximum(signal, 0)
    scene: Values = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - _C) / _A) + _B) / 12)
    return scene


def hlg_signal(scene: Values) -> Values:
    """The OETF of HLG: light of the scene, 0 and above → signal."""
    scene = np.maximum(scene, 0)
    upper = _A * np.log(np.maximum(12 * scene - _B, 1e-9)) + _C
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), upper)


def srgb_light(signal: Values) -> Values:
    """A picture's signal 0–1 → light, 1 for white."""
    light: Values = np.where(signal <= 0.04045, signal / 12.92, ((np.maximum(signal, 0.04045) + 0.055) / 1.055) ** 2.4)
    return light


def video_light(signal: Values) -> Values:
    """The signal of an SDR video, 0–1 → light, 1 for white, on a display that is black at 0."""
    light: Values = np.maximum(signal, 0) ** GAMMA
    return light


def tone_mapped(light: Values, peak: float, white: float = SDR_WHITE) -> Values:
    """cd/m² on a display of `peak` → cd/m² on one of `white`: the same where it is dark, rolled off above.

    Equations 5.4.1.1 to 5.4.1.4 of BT.2390 with black at 0; `peak` becomes `white`, and so does what is above it.
    """
    if peak <= white:
        return np.minimum(light, white)
    top = pq_signal(np.array(peak))
    signal = np.minimum(pq_signal(light) / top, 1)
    highest = pq_signal(np.array(white)) / top
    knee = 1.5 * highest - 0.5
    t = (signal - knee) / (1 - knee)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * highest
    return pq_light(np.where(signal < knee, signal, spline) * top)


@lru_cache(maxsize=16)
def rgb_to_xyz(primaries: int) -> Values:
    """`(3, 3)`: linear R, G, B of these primaries → CIE X, Y, Z, Y = 1 for white; BT.709's where they are not known.

    SMPTE RP 177: each primary's share is what makes their sum the white point.
    """
    chromaticities = _PRIMARIES.get(primaries, _PRIMARIES[1])
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in chromaticities]).T
    scaled: Values = columns[:, :3] * np.linalg.solve(columns[:, :3], columns[:, 3])
    return scaled


def between_primaries(source: int, target: int) -> Values:
    """`(3, 3)`: linear R, G, B of one set of primaries → of another; the numbers are those of H.273."""
    matrix: Values = np.linalg.solve(rgb_to_xyz(target), rgb_to_xyz(source)).astype(np.float64)
    return matrix
