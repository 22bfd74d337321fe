"""How far apart two processors' arrays are, in steps of 1/255, and the bounds of docs/exactness.md."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]

# By output: the largest difference in steps of 1/255, between any two processors and versions; why: docs/exactness.md
BOUNDS: dict[str, float] = {
    "tensor": 0,
    "tensor by area": 1,
    "mask": 0,
    "alpha": 0.001,
    "refined plain": 0,
    "refined by guide": 2,
    "share": 0,
    "alpha bytes": 0,
    "composite": 0,
    "cover by area": 1,
    "blend": 0,
    "blur": 1,
    "light wrap": 0,
    "planes": 0,
    "flicker": 0.1,
    "network": 0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Of one output or call: the largest difference in steps of 1/255, its case, and how many values differ."""

    output: str
    largest: float
    case: str
    differing: int
    values: int

    @property
    def is_within(self) -> bool:
        """Whether the bound of this output is kept; a call by itself has none."""
        return self.largest <= BOUNDS.get(self.output, np.inf)

    def to_json(self) -> dict[str, Any]:
        # JSON has no infinity, which another shape or dtype counts as
        largest = self.largest if np.isfinite(self.largest) else None
        return {**asdict(self), "largest": largest, "is_within": self.is_within}


class Variants:
    """What every processor made; of arrays that are equal one is kept."""

    def __init__(self) -> None:
        self._arrays: dict[str, dict[str, Array]] = {}
        self._made: dict[str, dict[str, str]] = {}

    def add(self, who: str, arrays: Arrays) -> None:
        """
        Raises:
            ValueError: nothing, or other arrays than the first one made.
        """
        odd = sorted(set(self._arrays) ^ set(arrays)) if self._made else []
        if odd or not arrays:
            raise ValueError(
                f"{who}: made other things than the rest ({(odd or ['nothing at all'])[0]}); run all again"
            )
        self._made[who] = {name: digest(array) for name, array in arrays.items()}
        for name, array in arrays.items():
            self._arrays.setdefault(name, {}).setdefault(self._made[who][name], array)

    @property
    def first(self) -> str:
        """Who was added first."""
        return next(iter(self._made))

    def between(self, first: str, second: str) -> dict[str, Difference]:
        """Output → how far these two are apart."""
        sides = self._made[first], self._made[second]
        return _by_output(
            (name, [(found[sides[0][name]], found[sides[1][name]])]) for name, found in self._arrays.items()
        )

    def widest(self) -> dict[str, Difference]:
        """Output → its largest difference between any two."""
        # an array with itself where all are equal
        pairs = (
            (name, [*combinations(found.values(), 2)] or [(*found.values(),) * 2])
            for name, found in self._arrays.items()
        )
        return _by_output(pairs)


def _by_output(cases: Iterable[tuple[str, Sequence[tuple[Array, Array]]]]) -> dict[str, Difference]:
    """Of each case the pair that is furthest apart."""
    found: dict[str, Difference] = {}
    for name, pairs in cases:
        apart = max((steps_apart(*pair) for pair in pairs), key=lambda one: float(one.max(initial=0)))
        output, largest = name.partition(":")[0], float(apart.max(initial=0))
        before = found.get(output, Difference(output=output, largest=0, case="", differing=0, values=0))
        found[output] = Difference(
            output=output,
            largest=max(before.largest, largest),
            case=name if largest > before.largest else before.case,
            differing=before.differing + int(np.count_nonzero(apart)),
            values=before.values + pairs[0][0].size,
        )
    return found


def steps_apart(first: Array, second: Array) -> Array:
    """Value by value, in steps of 1/255: bytes as they are, floats of 0–1 times 255. What is no number is so on both sides."""
    if first.shape != second.shape or first.dtype != second.dtype:
        return np.array([np.inf])
    if first.tobytes() == second.tobytes():
        return np.zeros(first.shape)
    a, b = first.astype(np.float64), second.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0, np.abs(a - b))
        steps = apart if first.dtype.kind in "iu" else 255 * apart
    return np.asarray(np.nan_to_num(steps, nan=np.inf, posinf=np.inf))


def digest(array: Array) -> str:
    """SHA-256 of type, shape and bytes."""
    head = f"{array.dtype} {array.shape} ".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()


def read(file: Path) -> tuple[dict[str, Array], str]:
    """What make.py wrote, by name, and OpenCV's line of the features that it found."""
    with np.load(file) as stored:
        return {str(name): stored[str(index)] for index, name in enumerate(stored["names"])}, str(stored["features"])
