"""Flicker of soft masks: how much alpha changes from frame to frame where the image does not explain it. 0 is steady.

Of each two frames, the earlier alpha is carried to the later one along the optical flow between their images (DIS flow,
Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016). What differs then is not motion. Pixels that
the flow does not explain are left out, as in the warping error of Lai et al., "Learning blind video temporal
consistency", ECCV 2018: those whose forward and backward flow disagree (Sundaram, Brox & Keutzer, "Dense point
trajectories by GPU-accelerated large displacement optical flow", ECCV 2010), whose brightness differs, or that come from
outside the frame. With A = alpha now, B = alpha before, carried along, over the explained pixels of all pairs,

    flicker = sum |A - B| / sum max(A, B)

is one minus the soft IoU of the mask with its own past: the share of the person that comes or goes without a cause. It
is the soft form of the temporal consistency of Liu et al., "Efficient semantic video segmentation with per-frame
inference", ECCV 2020. Divided by the person and not by the frame it means the same for a small person as for a large one,
and the flow depends on the images alone, so that the masks of two models of one clip are judged at the same pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.arrays import check_same_size, checked, within_unit

Gray = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]

LONGEST_SIDE = 256  # about 5 ms a pair on one core; flow at this size follows a person's outline to half a pixel
LEAST_EXPLAINED = 0.5  # less of the picture than this, and the pair is a cut, not a change
LEAST_PERSON = 0.01  # of the picture: less person than this counts as this much, else nobody would divide by nothing
_BRIGHTNESS = 10  # of 255: several times the noise of a camera once the picture is reduced
_LEAST_FLOW_SIDE = 32  # DIS refuses pictures under 12 pixels, and crashes on some long thin ones


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFlicker:
    """Two frames: means over the explained pixels, 0–1, and `explained`, the share of the picture that these are."""

    change: float
    person: float
    explained: float
    uncompensated: float  # what `change` would be without carrying the earlier alpha along

    @property
    def is_cut(self) -> bool:
        """Whether the image changed too much for the pair to say anything."""
        return self.explained < LEAST_EXPLAINED

    @property
    def value(self) -> float | None:
        """The flicker of this pair, 0–1; None where it is a cut."""
        return None if self.is_cut else self.change / max(self.person, LEAST_PERSON)


class FlickerMeter:
    """The flicker of a stream, fed frame by frame; keeps one small frame. Not for several threads at once."""

    def __init__(self) -> None:
        self._before: tuple[Gray, Field] | None = None
        self._sums = np.zeros(4)
        self.pairs = 0
        self.left_out = 0

    def add(self, gray: Gray, alpha: npt.NDArray[Any]) -> PairFlicker | None:
        """Measure a frame against the one before; None for the first one, after `cut`, and where the size changed.

        Args:
            gray: `(H, W) uint8`, the frame's luma.
            alpha: `(h, w) uint8, 0–255`, or `float32, 0–1`; of any size, it is taken to cover the frame.

        Raises:
            FrameError: another type, dtype or shape.
        """
        now = reduced(gray, alpha)
        before, self._before = self._before, now
        if before is None:
            return None
        if before[0].shape != now[0].shape:
            self.left_out += 1
            return None
        pair = _pair(*before, *now)
        self.pairs += not pair.is_cut
        self.left_out += pair.is_cut
        if not pair.is_cut:
            self._sums += pair.explained * np.array((pair.change, pair.person, 1.0, pair.uncompensated))
        return pair

    def cut(self) -> None:
        """The next frame has no frame before it: a seek, or pairs that are sampled."""
        self._before = None

    @property
    def value(self) -> float | None:
        """The flicker so far, 0–1; None before the first pair."""
        return self._per_person(0)

    @property
    def uncompensated(self) -> float | None:
        """The same without carrying the earlier alpha along: motion and flicker together."""
        return self._per_person(3)

    def _per_person(self, which: int) -> float | None:
        _, person, explained, _ = self._sums
        return float(self._sums[which] / max(person, LEAST_PERSON * explained)) if self.pairs else None


def pair_flicker(gray_before: Gray, alpha_before: npt.NDArray[Any], gray: Gray, alpha: npt.NDArray[Any]) -> PairFlicker:
    """Two frames with their masks, shapes and dtypes as for `FlickerMeter.add`.

    Raises:
        FrameError: another type, dtype or shape, or frames whose shapes differ.
    """
    check_same_size("gray", gray_before, gray, "frames")
    return _pair(*reduced(gray_before, alpha_before), *reduced(gray, alpha))


def reduced(gray: Gray, alpha: npt.NDArray[Any]) -> tuple[Gray, Field]:
    """Both at the size of the measure, at most 256 pixels on the longer side: `(h, w) uint8`, `(h, w) float32, 0–1`.

    An alpha outside 0–1 is taken as the nearer end, NaN as 0.
    """
    gray = checked("gray", gray, "(H, W) uint8")
    alpha = checked("alpha", alpha, "(H, W) uint8 or float32", dtypes=(np.uint8, np.float32))
    scale = min(1.0, LONGEST_SIDE / max(gray.shape))
    height, width = (max(1, round(side * scale)) for side in gray.shape)
    # before the resize, which would spread a NaN
    small = _resized(alpha if alpha.dtype == np.uint8 else within_unit(alpha), height, width)
    soft = small.astype(np.float32) / 255 if alpha.dtype == np.uint8 else small
    return np.asarray(_resized(gray, height, width), np.uint8), np.asarray(soft, np.float32)


def _pair(gray_before: Gray, alpha_before: Field, gray: Gray, alpha: Field) -> PairFlicker:
    flow = _flow(gray, gray_before)
    source = _grid(*gray.shape) + flow
    explained = _explained(gray_before, gray, flow, source)
    carried = _carried(alpha_before, source)
    count = max(1, int(np.count_nonzero(explained)))

    def mean(field: Field) -> float:
        return float(np.sum(field, where=explained, dtype=np.float64)) / count

    return PairFlicker(
        change=mean(np.abs(alpha - carried)),
        person=mean(np.maximum(alpha, carried)),
        explained=float(explained.mean()),
        uncompensated=mean(np.abs(alpha - alpha_before)),
    )


def _explained(gray_before: Gray, gray: Gray, flow: Field, source: Field) -> npt.NDArray[np.bool_]:
    """Where the flow `(h, w, 2)` from now to before, which ends at `source`, accounts for the picture: `(h, w) bool`."""
    height, width = gray.shape
    x, y = cv2.split(source)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    same_brightness = cv2.absdiff(_carried(gray_before, source), gray) <= _BRIGHTNESS
    back = _carried(_flow(gray_before, gray), source)
    # the bound of Sundaram et al.
    returns = _squared(flow + back) <= 0.01 * (_squared(flow) + _squared(back)) + 0.5
    return np.asarray(inside & same_brightness & returns, np.bool_)


def _flow(start: Gray, end: Gray) -> Field:
    """For each pixel of `start` `(h, w)`, how far away it is in `end`: `(h, w, 2) float32`, x and y in pixels."""
    height, width = start.shape
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    dis.setFinestScale(1)  # half the size; the preset's quarter loses the outline of a person who moves
    return np.asarray(dis.calc(_padded(start), _padded(end), np.empty(0))[:height, :width], np.float32)


def _padded(gray: Gray) -> Gray:
    below, right = (max(0, _LEAST_FLOW_SIDE - side) for side in gray.shape)
    return np.asarray(cv2.copyMakeBorder(gray, 0, below, 0, right, cv2.BORDER_REPLICATE), np.uint8)


def _carried(field: npt.NDArray[Any], source: Field) -> npt.NDArray[Any]:
    """What lies at `source` `(h, w, 2)`, x and y in pixels; beyond the frame, what lies at its border."""
    x, y = cv2.split(source)
    return np.asarray(cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _squared(vectors: Field) -> Field:
    x, y = cv2.split(vectors)
    return np.asarray(x * x + y * y, np.float32)


@lru_cache(maxsize=4)
def _grid(height: int, width: int) -> Field:
    """Each pixel's own x and y, `(h, w, 2) float32`."""
    return np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)


def _resized(image: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    shrinks = image.shape[0] * image.shape[1] > height * width
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
