"""The values that each tensor took on the calibration pictures, and the range that its integers will cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

LOGIT_LIMIT = 8.0
"""sigmoid(8) is 0.99966: beyond it the probability moves by less than a tenth of an int8 step (1/256), so the steps of the
logit are better spent between -8 and 8, where the mask is decided."""
STILL = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranges:
    """Smallest and largest value of each tensor on each picture: `low` and `high` `(N, T) float32`."""

    names: tuple[str, ...]
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.low)

    def of(self, pictures: Sequence[int]) -> Ranges:
        """What these pictures alone would have told."""
        index = np.asarray(pictures, int)
        return replace(self, low=self.low[index], high=self.high[index])

    def with_image(self, name: str) -> Ranges:
        """The image is 0..1 whatever the pictures reached: int8 scale 1/255, zero point -128."""
        return self._with(name, 0.0, 1.0)

    def with_mask(self, name: str) -> Ranges:
        """The mask is 0..255/256 whatever it reached: uint8 scale 1/256, zero point 0, as a sigmoid in integers has it."""
        return self._with(name, 0.0, 255 / 256) if name in self.names else self

    def with_limit(self, name: str | None, limit: float | None = LOGIT_LIMIT) -> Ranges:
        """The tensor's values beyond ±limit saturate; without a name or a limit nothing changes."""
        if name is None or limit is None or name not in self.names:
            return self
        column = self.names.index(name)
        low, high = self.low.copy(), self.high.copy()
        low[:, column] = np.clip(low[:, column], -limit, limit)
        high[:, column] = np.clip(high[:, column], -limit, limit)
        return replace(self, low=low, high=high)

    def lowest(self, name: str) -> float:
        """Of all pictures; infinity for a tensor that is not among them."""
        return float(self.low[:, self.names.index(name)].min()) if name in self.names else float("inf")

    def with_same(self, name: str, other: str) -> Ranges:
        """`name` covers what `other` does."""
        low, high = self.low.copy(), self.high.copy()
        for values in (low, high):
            values[:, self.names.index(name)] = values[:, self.names.index(other)]
        return replace(self, low=low, high=high)

    def mean(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """The mean over the pictures of the smallest and of the largest value, each `(T,) float32`.

        A mean lets rare outliers saturate, where the extremes of all pictures would make every step coarser for them.
        What was 0 on all of them, as behind a ReLU that nothing passes, gets -1..1: a range without width would be a scale
        that XNNPACK refuses.
        """
        low, high = self.low.mean(axis=0), self.high.mean(axis=0)
        still = np.maximum(abs(low), abs(high)) < STILL
        return np.where(still, np.float32(-1), low), np.where(still, np.float32(1), high)

    def save(self, path: Path) -> None:
        """For the child process that quantizes: names and mean ranges."""
        low, high = self.mean()
        np.savez(path, names=np.array(self.names), low=low, high=high)

    def _with(self, name: str, least: float, most: float) -> Ranges:
        column = self.names.index(name)
        low, high = self.low.copy(), self.high.copy()
        low[:, column], high[:, column] = least, most
        return replace(self, low=low, high=high)


def load_ranges(path: Path) -> Ranges:
    """What the child process that measured has written."""
    with np.load(path, allow_pickle=False) as stored:
        return Ranges(names=tuple(map(str, stored["names"])), low=stored["low"], high=stored["high"])


def halves(count: int) -> tuple[list[int], list[int]]:
    """Every second picture, and the others."""
    return list(range(0, count, 2)), list(range(1, count, 2))
