"""Every call of OpenCV and numpy in segruntime whose result could depend on the processor, by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from inputs import every_pair, logits, mask, odd_floats, picture, plane, ties, weights

Array = npt.NDArray[Any]
Case = tuple[str, Callable[[], Any]]

SMALLER = ((720, 1280), (721, 1283), (360, 640))


def calls() -> Iterator[tuple[str, Array]]:
    """A call's name → what it gave; a name holds what is called, the dtypes and what is special."""
    for group in (_steps, _resizes, _filters, _colours, _numpy, _flows):
        for name, make in group():
            yield name, np.array(make())


def _steps() -> Iterator[Case]:
    first, second = every_pair()
    floats = {"ties": ties(), "odd": odd_floats(), "mask": mask(180, 320)}
    for kind, values in floats.items():
        yield f"threshold tozero f32 {kind}", lambda v=values: cv2.threshold(v, 0, 0, cv2.THRESH_TOZERO)[1]
        yield f"threshold trunc f32 {kind}", lambda v=values: cv2.threshold(v, 1, 0, cv2.THRESH_TRUNC)[1]
        yield f"convertScaleAbs f32*255 {kind}", lambda v=values: cv2.convertScaleAbs(v, alpha=255)
        yield f"max f32 {kind}", lambda v=values: cv2.max(v, np.zeros_like(v))
        yield f"min f32 {kind}", lambda v=values: cv2.min(v, np.ones_like(v))
    yield "threshold binary u8", lambda: cv2.threshold(first, 253, 255, cv2.THRESH_BINARY)[1]
    yield "convertScaleAbs u8*16", lambda: cv2.convertScaleAbs(first, alpha=16)
    yield "convertScaleAbs f32 bytes", lambda: cv2.convertScaleAbs(first * np.float32(0.5) + second)
    yield "multiply u8 u8 1/255", lambda: cv2.multiply(first, second, scale=1 / 255)
    yield "multiply u8 u8 0.3/255", lambda: cv2.multiply(first, second, scale=0.3 / 255)
    yield "multiply u8 f32", lambda: cv2.multiply(first, mask(256, 256), dtype=cv2.CV_32F)
    yield "multiply f32 f32", lambda: cv2.multiply(mask(256, 256), first.astype(np.float32))
    yield "add f32", lambda: cv2.add(mask(180, 320), plane(180, 320) * np.float32(1 / 3))
    yield "add f32 to u8 ties", lambda: cv2.add(first * np.float32(0.5), second - np.float32(64), dtype=cv2.CV_8U)
    yield "add f32 to u8", lambda: cv2.add(plane(181, 323) * np.float32(1 / 3), mask(181, 323), dtype=cv2.CV_8U)
    yield "absdiff u8", lambda: cv2.absdiff(first, second)
    yield "LUT u8 f32", lambda: cv2.LUT(first, (np.arange(256) / 255).astype(np.float32))
    yield "merge u8", lambda: cv2.merge((first, second, first))


def _resizes() -> Iterator[Case]:
    for height, width in SMALLER:
        full, one = picture(height, width), plane(height, width)
        half = ((width + 1) // 2, (height + 1) // 2)
        for name, pixels in (("u8c3", full), ("u8c1", one)):
            size = f"{name} {width}x{height}"
            yield f"resize area half {size}", lambda p=pixels, s=half: cv2.resize(p, s, interpolation=cv2.INTER_AREA)
            for target in ((256, 256), (192, 108)):
                for how in ("AREA", "LINEAR", "LINEAR_EXACT", "NEAREST_EXACT"):
                    yield (
                        f"resize {how.lower()} {size} to {target}",
                        lambda p=pixels, t=target, h=how: cv2.resize(p, t, interpolation=getattr(cv2, f"INTER_{h}")),
                    )
    for name, source in (("u8c3", picture(90, 160)), ("u8c1", plane(90, 160))):
        for target in ((1280, 720), (641, 361)):
            for how in ("AREA", "LINEAR", "LINEAR_EXACT"):
                yield (
                    f"resize {how.lower()} {name} up to {target}",
                    lambda p=source, t=target, h=how: cv2.resize(p, t, interpolation=getattr(cv2, f"INTER_{h}")),
                )
    thirds = mask(90, 160) * np.float32(1 / 3)
    four = np.stack([thirds * k for k in (1, 50, 100, 255)], axis=-1).astype(np.float32)
    for name, floats in (("f32c1", thirds), ("f32c4", four)):
        for target in ((1280, 720), (641, 361), (320, 180)):
            yield (
                f"resize linear {name} up to {target}",
                lambda p=floats, t=target: cv2.resize(p, t, interpolation=cv2.INTER_LINEAR),
            )
        for target in ((80, 45), (81, 45), (53, 31)):
            yield (
                f"resize area {name} to {target}",
                lambda p=floats, t=target: cv2.resize(p, t, interpolation=cv2.INTER_AREA),
            )


def _filters() -> Iterator[Case]:
    small, one = picture(180, 320), plane(180, 320)
    for sigma in (0.3, 0.7, 1.25, 1.9, 2.4, 4.1):
        for name, pixels in (("u8c3", small), ("u8c1", one)):
            yield (
                f"GaussianBlur {name} sigma {sigma}",
                lambda p=pixels, s=sigma: cv2.GaussianBlur(p, (0, 0), s, borderType=cv2.BORDER_REPLICATE),
            )
    for side in (3, 5, 9, 15):
        size = (side, side)
        yield f"blur u8 {side}", lambda s=size: cv2.blur(one, s, borderType=cv2.BORDER_REPLICATE)
    for side in (3, 5, 7, 33, 129):
        size = (side, side)
        how = {"borderType": cv2.BORDER_REFLECT}
        yield f"boxFilter u8 f32 {side}", lambda s=size, h=how: cv2.boxFilter(one, cv2.CV_32F, s, **h)
        yield f"boxFilter f32 {side}", lambda s=size, h=how: cv2.boxFilter(one / np.float32(3), cv2.CV_32F, s, **h)
        yield f"sqrBoxFilter u8 f32 {side}", lambda s=size, h=how: cv2.sqrBoxFilter(one, cv2.CV_32F, s, **h)
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    yield "dilate ellipse u8", lambda: cv2.dilate(one, disk)


def _colours() -> Iterator[Case]:
    full = picture(181, 323)
    even = picture(180, 324)
    matrix = np.array([[0.0722, 0.7152, 0.2126, 0], [0.439, -0.3, -0.1, 128], [-0.04, -0.4, 0.439, 128]])
    yield "cvtColor BGR2GRAY", lambda: cv2.cvtColor(full, cv2.COLOR_BGR2GRAY)
    yield "cvtColor BGR2RGB", lambda: cv2.cvtColor(full, cv2.COLOR_BGR2RGB)
    yield "cvtColor BGR2YUV_I420", lambda: cv2.cvtColor(even, cv2.COLOR_BGR2YUV_I420)
    yield "transform u8 3x4", lambda: cv2.transform(full, matrix)
    yield "imencode jpg", lambda: cv2.imencode(".jpg", full, (cv2.IMWRITE_JPEG_QUALITY, 95))[1].ravel()
    yield (
        "imdecode jpg",
        lambda: cv2.imdecode(cv2.imencode(".jpg", full, (cv2.IMWRITE_JPEG_QUALITY, 95))[1], cv2.IMREAD_COLOR),
    )


def _numpy() -> Iterator[Case]:
    x, many = logits(1)[0], logits(5)
    below = -np.abs(x)  # as the runtime calls exp
    wide = below.astype(np.float64)
    yield "np.tanh f32", lambda: np.tanh(np.float32(0.5) * x)
    yield "np.exp f32", lambda: np.exp(below)
    yield "np.exp f64", lambda: np.exp(wide)
    yield "np.exp f64 to f32", lambda: np.exp(wide).astype(np.float32)
    yield "np.exp f32 sum", lambda: np.exp(many - many.max(axis=0)).sum(axis=0)
    yield "np.sum f64", lambda: np.sum(wide * (1 / 3))
    yield "np.sum f32", lambda: np.sum(x * np.float32(1 / 3))
    yield "np.mean f32", lambda: np.mean(x * np.float32(1 / 3))
    yield "np.rint", lambda: np.rint(ties() * 255)
    yield "np.divide f32", lambda: np.divide(mask(180, 320), plane(180, 320) + np.float32(0.1))
    with np.errstate(invalid="ignore"):
        for name, call in (("fmax", np.fmax), ("minimum", np.minimum), ("maximum", np.maximum)):
            yield f"np.{name} odd", lambda c=call: c(odd_floats(), np.float32(0.25))
        yield "np.astype u8 odd", lambda: np.rint(np.clip(np.nan_to_num(odd_floats()), 0, 1) * 255).astype(np.uint8)


def _flows() -> Iterator[Case]:
    before = plane(144, 256)
    now = np.ascontiguousarray(np.roll(before, 2, axis=1))
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    dis.setFinestScale(1)
    yield "DIS flow", lambda: dis.calc(now, before, np.empty(0))
    y, x = np.mgrid[:144, :256].astype(np.float32)
    places = x + np.float32(1 / 3), y + np.float32(0.4)
    how = {"borderMode": cv2.BORDER_REPLICATE}
    yield "remap u8", lambda: cv2.remap(before, *places, cv2.INTER_LINEAR, **how)
    yield "remap f32", lambda: cv2.remap(weights(144, 256) / np.float32(3), *places, cv2.INTER_LINEAR, **how)
