"""Does int8 pay on this machine? Both files in turn on one picture, by processor time: other programs hardly bend the ratio."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segruntime import Segmenter

WARM_UP, LEAST_TURNS, MOST_TURNS = 2, 3, 15
LIMIT_S = 3.0
"""After so long no further turn begins."""
PAYS_BELOW = 0.9
"""int8 pays where it surely saves a tenth of the time; for less nobody should give up precision."""
SURE_ABOVE = 0.8
"""It surely does not where, reaching beyond `PAYS_BELOW`, the interval stays above this."""
_CONFIDENCE = 0.95
_LEAST_S = 1e-9  # a coarse clock may not have moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8Speed:
    """Medians of the invokes in ms of processor time; int8's over float32's, median of the turns with its 95 % interval."""

    float32_ms: float
    int8_ms: float
    ratio: float
    low: float
    high: float
    turns: int
    threads: int

    @property
    def pays(self) -> bool | None:
        """None where the machine was too unsteady to tell."""
        if self.high < PAYS_BELOW:
            return True
        return False if self.low >= SURE_ABOVE else None

    def __str__(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        told = f"{self.ratio:.2f} of float32's time ({self.low:.2f} to {self.high:.2f}, {threads})"
        if self.pays:
            return f"int8 pays on this processor: {told}"
        if self.pays is None:
            return f"int8 against float32: {told}: too unsteady to tell; segexport verify, when it is quieter, may"
        return (
            f"int8 does not pay on this processor: {told}. Take the float32 file on machines like this, or float16, as fast at "
            "half the size; int8 where a file must be small, and for processors on which it pays (docs/precision.md)"
        )

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "pays": self.pays, "text": str(self)}


def measure_int8_speed(float32: Segmenter, int8: Segmenter, frame: npt.NDArray[np.uint8]) -> Int8Speed:
    """Run both on `frame` `(H, W, 3) uint8, BGR`, in turn, at most 15 times and for about 3 s (3 turns at least)."""
    tensors = [(segmenter, segmenter.preprocess(frame).copy()) for segmenter in (float32, int8)]
    for segmenter, tensor in tensors * WARM_UP:
        segmenter.invoke(tensor)
    turns: list[list[float]] = []
    begun = time.monotonic()
    while len(turns) < LEAST_TURNS or (len(turns) < MOST_TURNS and time.monotonic() - begun < LIMIT_S):
        turns.append([_invoke_ms(segmenter, tensor) for segmenter, tensor in tensors])
    return int8_speed(turns, threads=int8.threads)


def int8_speed(turns: Sequence[Sequence[float]], *, threads: int) -> Int8Speed:
    """`turns`: float32's time and int8's, in ms, one pair a turn."""
    float32_ms, int8_ms = np.median(turns, axis=0)
    ratios = sorted(int8 / float32 for float32, int8 in turns)
    aside = _outside(len(ratios))
    return Int8Speed(
        float32_ms=float(float32_ms),
        int8_ms=float(int8_ms),
        ratio=float(np.median(ratios)),
        low=ratios[aside],
        high=ratios[-1 - aside],
        turns=len(ratios),
        threads=threads,
    )


def _outside(count: int) -> int:
    """How many of the sorted values lie outside the median's interval, on either side (order statistics, as in the sign
    test: a value is below the median with probability 1/2); none where `count` is too small for 95 %."""
    tails = [2 * sum(math.comb(count, k) for k in range(aside + 1)) / 2**count for aside in range(1, count // 2)]
    return sum(tail <= 1 - _CONFIDENCE for tail in tails)


def _invoke_ms(segmenter: Segmenter, tensor: npt.NDArray[Any]) -> float:
    started = time.process_time()
    segmenter.invoke(tensor)
    return 1000 * max(time.process_time() - started, _LEAST_S)
