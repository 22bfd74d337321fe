"""The chain for one stream of frames."""

from __future__ import annotations

import cv2
import numpy as np

from segruntime.arrays import Alpha, Plane, as_probability, check_out, checked, packed
from segruntime.refine.bounds import apply_bounds, bounds_table
from segruntime.refine.guided import Guided, GuidedFilter
from segruntime.refine.islands import without_islands
from segruntime.refine.presets import Preset, preset_of
from segruntime.refine.shrink import half_size, shrink
from segruntime.refine.temporal import Temporal, blended, memory_table, motion, stillness_table
from segruntime.refine.upsample import EdgeUpsampler, bilinear


class Refiner:
    """The network's mask → alpha at full size. One a stream and a thread: it remembers the frame before."""

    def __init__(self, preset: str | Preset = "balanced") -> None:
        """
        Raises:
            OptionError: no preset of that name.
        """
        self.preset = preset_of(preset)
        self._memory = _Memory(self.preset.temporal) if self.preset.temporal else None
        self._table = bounds_table(self.preset.bounds) if self.preset.bounds else None
        self._filter = GuidedFilter(self.preset.guided) if self.preset.guided else None
        self._upsample = EdgeUpsampler()

    def __call__(self, coarse: Alpha, guide: Plane, out: Plane | None = None) -> Plane:
        """The next frame's alpha.

        Args:
            coarse: `(h, w) float32, 0–1`, as `Segmenter.coarse` gives it. Outside 0–1 counts as the nearer end, NaN as 0.
            guide: `(H, W) uint8`, the frame's luma: the Y plane of a video frame, or the frame in gray.
            out: `(H, W) uint8` with packed rows to write to; a new array where not given.

        Returns:
            `(H, W) uint8`, 0 (background) to 255 (person), soft.

        Raises:
            FrameError: another type, dtype or shape.
        """
        mask = as_probability(coarse)
        guide = packed(checked("guide", guide, "(H, W) uint8: the Y plane of the frame, or the frame in gray"))
        alpha = check_out(out, guide.shape)
        guided = self.preset.guided
        small = shrink(guide, _working_size(guided, guide, mask)) if guided or self._memory else guide
        if self._memory:
            mask = self._memory(mask, shrink(small, _size(mask)), guide.shape)
        if self.preset.islands:
            mask = without_islands(mask, self.preset.islands)
        if self._filter:
            self._upsample(self._filter(_at(mask, _size(small)), small), guide, alpha)
        else:
            bilinear(mask, alpha)
        return self._finished(alpha)

    def reset(self) -> None:
        """Forget the frame before: another stream, or a jump in this one, follows."""
        if self._memory:
            self._memory.reset()

    def _finished(self, alpha: Plane) -> Plane:
        if self._table is not None:
            apply_bounds(alpha, self._table, alpha)
        if self.preset.feather:
            feather(alpha, self.preset.feather, alpha)
        return alpha


def feather(alpha: Plane, pixels: int, out: Plane) -> Plane:
    """Alpha `(H, W) uint8` grown by a ramp of about `pixels`; no pixel goes down. Written to `out`, which may be `alpha`.

    A dilation (Serra 1982) by half the way, and a box blur that falls from there to both sides: the ramp starts at the
    person's edge and ends at `pixels` along rows and columns, up to a fifth further along diagonals.
    """
    reach = (pixels + 1) // 2
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    grown = cv2.dilate(alpha, disk)
    width = 2 * (pixels - reach) + 1
    soft = cv2.blur(grown, (width, width), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.max(soft, alpha, dst=out), np.uint8)


class _Memory:
    """The mask and the luma of the frame before; both dropped when a size changes."""

    def __init__(self, temporal: Temporal) -> None:
        self._tables = memory_table(temporal), stillness_table(temporal)
        self._before: tuple[Alpha, Plane, tuple[int, ...]] | None = None

    def __call__(self, mask: Alpha, small: Plane, frame_shape: tuple[int, ...]) -> Alpha:
        if self._before and self._before[0].shape == mask.shape and self._before[2] == frame_shape:
            previous, previous_small, _ = self._before
            mask = blended(mask, previous, motion(small, previous_small), *self._tables)
        # `small` is the caller's own buffer where nothing had to be shrunk
        self._before = mask, small.copy(), frame_shape
        return mask

    def reset(self) -> None:
        self._before = None


def _working_size(guided: Guided | None, guide: Plane, mask: Alpha) -> tuple[int, int]:
    return half_size(_size(guide), _size(mask)) if guided and guided.scale == "half" else _size(mask)


def _at(mask: Alpha, size: tuple[int, int]) -> Alpha:
    if mask.shape == size:
        return mask
    return np.asarray(cv2.resize(mask, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _size(plane: Alpha | Plane) -> tuple[int, int]:
    return plane.shape[0], plane.shape[1]
