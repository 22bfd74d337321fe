"""The two stages between a source and a sink: the network's mask, and the finished picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import cv2
import numpy as np

from segruntime.arrays import Plane
from segruntime.compositing.blend import blend
from segruntime.compositing.byte_product import take_share
from segruntime.compositing.light_wrap import light_wrap
from segruntime.measures.flicker import FlickerMeter
from segruntime.preprocess import Frame
from segruntime.refine import Refiner
from segruntime.resize import halved
from segruntime.run.backgrounds import Backdrop
from segruntime.run.planes import Planes, luma_table
from segruntime.run.stations import Decoded, Finished, Masked
from segruntime.run.video.tone_map import shown
from segruntime.segmenter import Segmenter

Mode = Literal["replaced", "transparent", "alpha"]
Canvas = Callable[[tuple[int, int]], tuple[Any, Planes]]
_TEN_BITS = np.rint(np.arange(256) * (1023 / 255)).astype(np.uint16)
_FLICKER_EVERY = 20  # of so many frames, two are compared: the measure costs as much as the network


class Network:
    """Frame → the network's mask, every `every` frames; between, the last one grows older."""

    def __init__(self, segmenter: Segmenter, every: int = 1, first: int = 0) -> None:
        """`first`: the number of the first frame within its video, a multiple of `every`."""
        self._segmenter, self._every = segmenter, every
        self._coarse = np.zeros((1, 1), np.float32)
        self._count = first

    def __call__(self, frame: Decoded) -> Masked:
        self._count = 0 if frame.stands_alone else self._count
        age = self._count % self._every
        self._count += 1
        if age == 0:
            self._coarse = self._segmenter.coarse(self._seen(frame))
        return Masked(frame=frame, coarse=self._coarse, age=age)

    def _seen(self, frame: Decoded) -> Frame:
        """The frame for the network, `(h, w, 3) uint8, BGR`: of a video, scaled plane by plane to what the network takes."""
        if frame.is_still:
            return np.asarray(frame.pixels[0], np.uint8)
        how = self._segmenter.contract.input.interpolation
        return shown(frame.pixels, frame.tags, self._segmenter.coarse_size(*frame.size), how)


class Finish:
    """Mask and frame → the finished picture; remembers the mask before, and how much the masks flicker.

    `canvas`: gives the memory for a result where the sink wants it in its own.
    """

    def __init__(self, refiner: Refiner, mode: Mode, backdrop: Backdrop | None, wrap: float = 0.0) -> None:
        self.flicker = FlickerMeter()
        self.canvas: Canvas | None = None
        self._refiner, self._mode, self._backdrop, self._wrap = refiner, mode, backdrop, wrap
        self._count = 0

    def __call__(self, masked: Masked) -> Finished:
        frame = masked.frame
        guide = _luma(frame)
        if frame.stands_alone:
            self._refiner.reset()
        alpha = self._refiner(masked.coarse, guide)
        if not frame.is_still:
            self._measure(guide, alpha)
        if frame.own_alpha is not None:
            alpha = take_share(alpha, frame.own_alpha)
        holder, pixels = (None, frame.pixels) if frame.is_warm_up else self._picture(frame, alpha)
        return Finished(frame=frame, pixels=pixels, alpha=alpha, age=masked.age, holder=holder)

    def _measure(self, guide: Plane, alpha: Plane) -> None:
        place = self._count % _FLICKER_EVERY
        self._count += 1
        if place == 0:
            self.flicker.cut()
        if place <= 1:
            self.flicker.add(guide, alpha)

    def _picture(self, frame: Decoded, alpha: Plane) -> tuple[Any, Planes]:
        if self.canvas is None and self._mode != "replaced":
            return None, frame.pixels
        holder, pixels = self.canvas(frame.size) if self.canvas else (None, tuple(map(np.empty_like, frame.pixels)))
        if self._mode == "alpha":
            cv2.LUT(alpha, luma_table(frame.tags), dst=pixels[0])
            for plane in pixels[1:]:
                plane[:] = 128
        elif self._mode == "transparent":
            opacity = alpha if frame.tags.bits == 8 else cv2.LUT(alpha, _TEN_BITS)
            for source, target in zip((*frame.pixels, opacity), pixels, strict=True):
                np.copyto(target, source)
        else:
            self._replace(frame, alpha, pixels)
        return holder, pixels

    def _replace(self, frame: Decoded, alpha: Plane, pixels: Planes) -> None:
        weights = weights_for(frame.pixels, alpha)
        assert self._backdrop is not None  # noqa: S101 - the command line gives one for this mode
        behind = self._backdrop(frame, weights)
        for over, weight, under, out in zip(frame.pixels, weights, behind, pixels, strict=True):
            if self._wrap > 0:
                over = light_wrap(over, weight, under, self._wrap)
            blend(over, weight, under, out)


def _luma(frame: Decoded) -> Plane:
    if not frame.is_still:
        return np.asarray(frame.pixels[0], np.uint8) if frame.guide is None else frame.guide
    return np.asarray(cv2.cvtColor(frame.pixels[0], cv2.COLOR_BGR2GRAY), np.uint8)


def weights_for(pixels: Planes, alpha: Plane) -> Sequence[Plane]:
    """The alpha `(H, W) uint8` at the size of each array; for chroma, the mean of the pixels that share a sample."""
    made: dict[tuple[int, ...], Plane] = {alpha.shape: alpha}
    for plane in pixels:
        size = plane.shape[:2]
        if size not in made:
            made[size] = halved(alpha)
    return [made[plane.shape[:2]] for plane in pixels]
