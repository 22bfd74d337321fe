"""HDR and 10-bit planes as an SDR picture, and an SDR picture as such planes.

From HDR: display light (`light.py`), BT.709 primaries, the tone curve by the largest of R, G and B, so that no hue turns,
and the signal of an SDR video. To HDR: the picture's light with its white at 203 cd/m², BT.2020 primaries, the signal.
What is a function of one number is a table; what mixes channels is a 3x3 matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.arrays import Plane, Samples
from segruntime.preprocess import Frame
from segruntime.resize import resized
from segruntime.run.planes import (
    BT709,
    ColorTags,
    Planes,
    bgr_to_planes,
    chroma_size,
    planes_to_bgr,
    samples_from_signal,
    signal_from_samples,
)
from segruntime.run.video import light
from segruntime.segmenter import default_threads

_SIGNAL_STEPS = 16384  # of a signal of 1 in a table; above 1 as far as 10 bits and their colour differences go
_SIGNALS = np.arange(2.25 * _SIGNAL_STEPS) / _SIGNAL_STEPS
_LIGHT_STEPS = (
    4096  # of the square root of light, up to 100 times that of white, which no primaries turn PQ into more than
)
_LIGHTS = (np.arange(10 * _LIGHT_STEPS) / _LIGHT_STEPS) ** 2
_STRIP_PIXELS = 32 * 1024  # its floats stay in a core's cache, and in memory that is not given back between frames

Floats = npt.NDArray[np.float32]
Eotf = Callable[[light.Values], light.Values]


def is_hdr(tags: ColorTags) -> bool:
    """Whether the numbers stand for light beyond SDR's white: PQ and HLG, the base of Dolby Vision 8.4 among it."""
    return tags.transfer in (light.PQ, light.HLG)


def sdr_tags(tags: ColorTags) -> ColorTags:
    """What tone-mapped planes of such a stream are: BT.709, 8 bits, in the same range."""
    return ColorTags(matrix=BT709, range=tags.range, primaries=BT709, transfer=BT709)


def shown(planes: Sequence[Samples], tags: ColorTags, size: tuple[int, int], how: str = "bilinear") -> Frame:
    """As `planes_to_bgr`, of 10 bits and HDR too: `(h, w, 3) uint8, BGR`, SDR, of `size = (h, w)`."""
    if tags.bits == 8:
        return planes_to_bgr(planes, tags, size, how)
    scaled = [plane if plane.shape == size else resized(plane, size, how) for plane in planes[:3]]
    return np.asarray(cv2.convertScaleAbs(_sdr_signal(scaled, tags), alpha=255), np.uint8)


def tone_mapped_planes(planes: Sequence[Samples], tags: ColorTags, target: ColorTags) -> Planes:
    """10-bit HDR planes of `tags` → Y, U, V `uint8` as `target` has matrix and range, BT.709's primaries."""
    height, width = planes[0].shape[:2]
    rows = max(2, _STRIP_PIXELS // width & ~1)
    full = [np.asarray(planes[0]), *(resized(plane, (height, width)) for plane in planes[1:3])]
    y, (u, v) = np.empty((height, width), np.uint8), np.empty((2, *chroma_size(height, width)), np.uint8)

    def map_strip(top: int) -> None:
        strip = slice(top, min(height, top + rows))
        halves = slice(top // 2, (strip.stop + 1) // 2)
        signal = _sdr_signal([plane[strip] for plane in full], tags)
        for plane, out in zip(_samples(signal, target), (y[strip], u[halves], v[halves]), strict=True):
            np.copyto(out, plane)

    with ThreadPoolExecutor(default_threads()) as pool:  # numpy and OpenCV let the others run
        list(pool.map(map_strip, range(0, height, rows)))
    return y, u, v


def guide(y: Samples, tags: ColorTags) -> Plane:
    """The luma that edges are looked for in: the Y plane of 10 bits, `(H, W) uint16`, as SDR's, `uint8`."""
    return np.take(_guide_table(tags), y, mode="clip")


def planes_of(picture: Frame, tags: ColorTags, eotf: Eotf = light.srgb_light) -> Planes:
    """An SDR picture `(H, W, 3) uint8, BGR` → its planes in a stream of `tags`, of HDR with its white at 203 cd/m².

    `eotf`: what the picture's numbers mean, signal → light; a still's is sRGB, a video's `light.video_light`.
    """
    if tags.bits == 8:
        return bgr_to_planes(picture, tags)
    signal = _hdr_signal(picture, tags, eotf) if is_hdr(tags) else np.multiply(picture, np.float32(1 / 255))
    return _samples(signal, tags)


def colour_of(colour: Sequence[int], tags: ColorTags) -> tuple[int, int, int]:
    """One colour `(b, g, r)` of 0–255 → its Y, U and V."""
    y, u, v = planes_of(np.array([[colour]], np.uint8), tags)
    return int(y[0, 0]), int(u[0, 0]), int(v[0, 0])


def _sdr_signal(planes: Sequence[Any], tags: ColorTags) -> Floats:
    """Y, U, V `(h, w) uint16` of one size → `(h, w, 3) float32`, B'G'R' of 0–1, BT.709 where it was HDR."""
    to_steps = signal_from_samples(tags) * _SIGNAL_STEPS
    steps: Any = cv2.transform(cv2.merge(list(planes)), to_steps)  # saturates at 0
    if not is_hdr(tags):
        return np.asarray(steps * np.float32(1 / _SIGNAL_STEPS), np.float32)
    linear = np.take(_linear_table(tags), steps, mode="clip")
    colours: Any = np.maximum(cv2.transform(linear, _matrix(tags.primaries, BT709)), np.float32(0))
    blue, green, red = cv2.split(colours)
    largest = cv2.max(cv2.max(blue, green), red)
    root = 1 / light.GAMMA
    if tags.transfer == light.HLG:  # the OOTF: times luminance to the power of 0.2
        system = cv2.pow(cv2.transform(linear, _luminance(tags.primaries)), light.SYSTEM_GAMMA - 1)
        gain: Any = cv2.multiply(_at_light(_gain_table(tags), cv2.multiply(largest, system)), cv2.pow(system, root))
    else:
        gain = _at_light(_gain_table(tags), largest)
    signal = cv2.multiply(cv2.pow(colours, root), cv2.merge([gain, gain, gain]))
    return np.asarray(signal, np.float32)


def _hdr_signal(picture: Frame, tags: ColorTags, eotf: Eotf) -> Floats:
    """`(H, W, 3) uint8, BGR` → `(H, W, 3) float32`, the B'G'R' of 0–1 of HDR."""
    table = eotf(np.arange(256) / 255).astype(np.float32)
    colours: Any = np.maximum(cv2.transform(cv2.LUT(picture, table), _matrix(BT709, tags.primaries)), np.float32(0))
    if tags.transfer == light.HLG:  # the inverse of the OOTF: display light over luminance to the power of 0.2 / 1.2
        luminance: Any = np.maximum(cv2.transform(colours, _luminance(tags.primaries)), np.float32(1e-6))
        system = cv2.pow(luminance, 1 / light.SYSTEM_GAMMA - 1)
        colours = cv2.multiply(colours, cv2.merge([system, system, system]))
    return _at_light(_signal_table(tags.transfer), colours)


def _samples(signal: Floats, tags: ColorTags) -> Planes:
    """B'G'R' of 0–1 `(H, W, 3) float32` → Y, U, V in 8 or 10 bits, each chroma sample the mean of its pixels."""
    height, width = signal.shape[:2]
    y, *chroma = cv2.split(cv2.transform(signal, samples_from_signal(tags)))
    planes = [y]
    for plane in chroma:
        even = cv2.copyMakeBorder(plane, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        planes.append(cv2.resize(even, chroma_size(height, width)[::-1], interpolation=cv2.INTER_AREA))
    if tags.bits == 8:
        return tuple(np.asarray(cv2.convertScaleAbs(plane), np.uint8) for plane in planes)
    return tuple(np.rint(plane).clip(0, 1023).astype(np.uint16) for plane in planes)


def _at_light(table: Floats, values: Any) -> Floats:
    """A table over `_LIGHTS` at each value, between 0 and its end."""
    steps = np.multiply(cv2.sqrt(values), np.float32(_LIGHT_STEPS))
    steps += np.float32(0.5)
    return np.asarray(np.take(table, steps.astype(np.uint16), mode="clip"), np.float32)


@lru_cache(maxsize=8)
def _linear_table(tags: ColorTags) -> Floats:
    """Over `_SIGNALS`: light, 1 for SDR's white; of HLG, before the OOTF, which multiplies it by a power of luminance."""
    if tags.transfer == light.PQ:
        return np.asarray(light.pq_light(_SIGNALS) / light.SDR_WHITE, np.float32)
    return light.hlg_scene(_SIGNALS).astype(np.float32)


@lru_cache(maxsize=8)
def _gain_table(tags: ColorTags) -> Floats:
    """Over `_LIGHTS`, the largest channel: what the tone curve multiplies the SDR signal by."""
    unit, peak = (light.HLG_PEAK, light.HLG_PEAK) if tags.transfer == light.HLG else (light.SDR_WHITE, tags.peak)
    bright = np.maximum(_LIGHTS, _LIGHTS[1]) * unit
    gain = light.tone_mapped(bright, peak) / bright * (unit / light.SDR_WHITE)
    table: Floats = (gain ** (1 / light.GAMMA)).astype(np.float32)
    return table


@lru_cache(maxsize=8)
def _signal_table(transfer: int) -> Floats:
    """Over `_LIGHTS`, 1 for SDR's white, of HLG without the part that luminance has in it: the HDR signal, 0–1."""
    if transfer == light.PQ:
        return light.pq_signal(_LIGHTS * light.SDR_WHITE).astype(np.float32)
    scene = _LIGHTS * (light.SDR_WHITE / light.HLG_PEAK) ** (1 / light.SYSTEM_GAMMA)
    return np.minimum(light.hlg_signal(scene), 1).astype(np.float32)


@lru_cache(maxsize=8)
def _guide_table(tags: ColorTags) -> Plane:
    """Each of the 1024 values of Y, of gray, as SDR's Y."""
    y = np.arange(1024, dtype=np.uint16)[None]
    gray = np.full_like(y, 512)
    return np.asarray(_samples(_sdr_signal([y, gray, gray], tags), sdr_tags(tags))[0][0], np.uint8)


@lru_cache(maxsize=8)
def _matrix(source: int, target: int) -> Floats:
    """`(3, 3)`, of channels B, G, R."""
    matrix: Floats = light.between_primaries(source, target)[::-1, ::-1].astype(np.float32)
    return matrix


@lru_cache(maxsize=8)
def _luminance(primaries: int) -> Floats:
    """`(1, 3)`: luminance from linear B, G, R."""
    weights: Floats = light.rgb_to_xyz(primaries)[1:2, ::-1].astype(np.float32)
    return weights
