"""What segruntime makes of fixed inputs, named `OUTPUT: case`; compare.py has a bound for each OUTPUT."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from inputs import every_pair, logits, mask, odd_floats, picture, plane, ties, weights

import segruntime
from segruntime.arrays import alpha_bytes
from segruntime.compositing.blend import blend
from segruntime.compositing.blur import BlurBehind
from segruntime.compositing.byte_product import take_share
from segruntime.compositing.composite import cover
from segruntime.compositing.light_wrap import light_wrap
from segruntime.measures.flicker import FlickerMeter
from segruntime.model_file.contract import InputSpec, OutputSpec
from segruntime.model_file.golden import read_golden
from segruntime.postprocess import Postprocessor
from segruntime.preprocess import Preprocessor
from segruntime.refine import PRESETS, Preset, Refiner
from segruntime.run.planes import ColorTags, bgr_to_planes, planes_to_bgr
from segruntime.run.stages import weights_for
from segruntime.segmenter import BUNDLED

Array = npt.NDArray[Any]
Named = Iterator[tuple[str, Array]]
FRAMES = ((720, 1280), (361, 643))
SIDE = 256
WHOLE = (0, 0, SIDE, SIDE)


def outputs() -> Named:
    """Everything but the networks."""
    for group in (_tensors, _masks, _refined, _composites, _backgrounds, _video):
        for name, array in group():
            yield name, np.array(array)


def network_masks() -> Named:
    """The bundled int8 file through LiteRT: its masks of drawn pictures and of the portraits that it carries."""
    segmenter = segruntime.load(BUNDLED["tflite"], threads=1)
    for height, width in FRAMES:
        yield f"network: {width}x{height}", np.array(segmenter.coarse(picture(height, width)))
    golden = read_golden(BUNDLED["tflite"])
    for one in golden.pictures if golden else ():
        yield f"network: {one.name}", np.array(segmenter.coarse(one.frame))


def _input(**changes: Any) -> InputSpec:
    fields = {"width": SIDE, "height": SIDE, "layout": "NHWC", "dtype": "uint8", "color": "rgb"}
    numbers: dict[str, Any] = {"value_range": (0.0, 1.0), "scale": 1 / 255, "zero_point": 0}
    return InputSpec(**{**fields, **numbers, **changes})


def _tensors() -> Named:
    floats = {"layout": "NCHW", "dtype": "float32", "scale": None, "zero_point": None, "mean": (0.485, 0.456, 0.406)}
    kinds: dict[str, dict[str, Any]] = {
        "tensor: uint8": {},
        "tensor: float32": {**floats, "std": (0.229, 0.224, 0.225)},
        "tensor: letterbox": {"resize": "letterbox"},
        "tensor: nearest": {"interpolation": "nearest", "width": 192, "height": 108},
        "tensor by area: uint8": {"interpolation": "area", "width": 192, "height": 108},
    }
    for name, changes in kinds.items():
        preprocess = Preprocessor(_input(**changes))
        for height, width in FRAMES:
            yield f"{name} {width}x{height}", np.array(preprocess(picture(height, width)))
    yield "tensor: gray", Preprocessor(_input())(plane(361, 643))


def _output(**changes: Any) -> OutputSpec:
    fields = {"width": SIDE, "height": SIDE, "layout": "NHWC", "dtype": "uint8", "meaning": "probability"}
    return OutputSpec(**{**fields, "channels": 1, "person_channel": 0, "labels": ("person",), **changes})


def _masks() -> Named:
    quantized = weights(SIDE, SIDE)[None, ..., None]
    bytes_ = Postprocessor(_output(scale=1 / 256, zero_point=0))
    yield "mask: uint8", bytes_.probability(quantized)
    for channels in (1, 2, 5):
        tensor = np.resize(logits(channels), (1, channels, SIDE, SIDE))
        spec = _output(layout="NCHW", dtype="float32", meaning="logits", channels=channels)
        yield f"mask: logits {channels}", Postprocessor(spec).probability(tensor)
    for height, width in FRAMES:
        yield f"alpha: {width}x{height}", bytes_(quantized, WHOLE, (height, width))


def _refined() -> Named:
    chains = {**PRESETS, "feather": Preset(feather=9)}
    for height, width in FRAMES:
        for name, preset in chains.items():
            refine = Refiner(preset)
            refine(np.roll(mask(SIDE, SIDE), 3, axis=1), np.roll(plane(height, width), 5, axis=1))
            # steps of bytes, steps of a float network
            yield f"refined {_kind(name)}: {name} {width}x{height}", refine(mask(SIDE, SIDE), plane(height, width))
    thirds = mask(SIDE, SIDE) * np.float32(1 / 3) + np.float32(0.3)
    yield "refined by guide: floats", Refiner("best")(thirds, plane(720, 1280))
    yield "refined plain: not numbers", Refiner("fast")(odd_floats(), plane(90, 160))


def _kind(preset: str) -> str:
    return "by guide" if preset in ("balanced", "best") else "plain"


def _composites() -> Named:
    first, second = every_pair()
    yield "share: every pair", take_share(first.copy(), second)
    for name, alpha in (("ties", ties()), ("not numbers", odd_floats())):
        yield f"alpha bytes: {name}", alpha_bytes(alpha)
        frame, behind = picture(*alpha.shape), picture(*alpha.shape)[::-1].copy()
        yield f"composite: {name}", segruntime.composite(frame, alpha, behind)
    for height, width in FRAMES:
        frame, alpha = picture(height, width), weights(height, width)
        yield f"composite: {width}x{height}", segruntime.composite(frame, alpha, np.ascontiguousarray(frame[::-1]))
        yield (
            f"composite: over a smaller picture {width}x{height}",
            segruntime.composite(frame, alpha, picture(90, 161)),
        )
        yield f"cover by area: {width}x{height}", cover(picture(1000, 1501), height, width)
        yield f"blend: plane {width}x{height}", blend(plane(height, width), alpha, 128, np.empty_like(alpha))


def _backgrounds() -> Named:
    for height, width in FRAMES:
        frame, alpha = picture(height, width), weights(height, width)
        for strength in (0, 0.5):
            yield f"blur: {strength} {width}x{height}", BlurBehind(strength)(frame, alpha)
        yield f"blur: plane {width}x{height}", BlurBehind()(plane(height, width), alpha)
        for strength in (0.3, 1):
            under = np.ascontiguousarray(frame[::-1])
            yield f"light wrap: {strength} {width}x{height}", light_wrap(frame, alpha, under, strength)


def _video() -> Named:
    tags = ColorTags()
    for height, width in FRAMES:
        frame, alpha = picture(height, width), weights(height, width)
        planes = bgr_to_planes(frame, tags)
        for letter, one in zip("yuv", planes, strict=True):
            yield f"planes: {letter} {width}x{height}", one
        yield f"planes: bgr {width}x{height}", planes_to_bgr(planes, tags, frame.shape[:2])
        yield f"planes: for the network {width}x{height}", planes_to_bgr(planes, tags, (SIDE, SIDE))
        yield f"planes: weights {width}x{height}", weights_for(planes, alpha)[1]
        yield f"planes: gray {width}x{height}", cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        meter = FlickerMeter()
        meter.add(plane(height, width), np.roll(alpha, 4, axis=1))
        meter.add(np.roll(plane(height, width), 2, axis=1), alpha)
        yield f"flicker: {width}x{height}", np.array([meter.value])
