"""How far two sides' arrays are apart, stage by stage, and whether that is within the bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segruntime.measures.agreement import mask_iou

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBound:
    """In steps of 1/255: the largest difference, and the mean one. `mask_iou` at one half; None for what is no mask."""

    largest: float
    mean: float
    mask_iou: float | None = None


# OpenCV 5.0's 8-bit bilinear resize rounds about a quarter of the bytes to the neighbour on aarch64; what the masks may differ
# is what the networks make of that. Their own kernels have no such excuse.
MASK = StageBound(largest=64, mean=0.25, mask_iou=0.995)
BOUNDS = {
    "decoded": StageBound(largest=1, mean=0.01),
    "tensor": StageBound(largest=1.001, mean=0.5),
    "kernels": StageBound(largest=1, mean=0.01, mask_iou=0.9999),
    "network": MASK,
    "alpha": MASK,
    "refined": MASK,
    "composite": StageBound(largest=0, mean=0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One stage of one file over all pictures: the largest difference, the worst picture's mean and IoU; in steps of 1/255.

    `differing`: share of the values that are not equal. `within`: the bound is kept on each picture.
    """

    file: str
    stage: str
    pictures: int
    largest: float
    mean: float
    differing: float
    mask_iou: float | None
    within: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def differences(reference: Mapping[str, Array], other: Mapping[str, Array]) -> list[Difference]:
    """
    Raises:
        ValueError: the two do not hold the same arrays.
    """
    if not reference or set(reference) != set(other):
        odd = sorted(set(reference) ^ set(other)) or ["nothing at all"]
        raise ValueError(f"masks: the two sides differ in what they made ({odd[0]}, of {len(odd)}); run both again")
    groups: dict[tuple[str, str], list[str]] = {}
    for name in reference:
        file, _, stage = name.split("|")
        groups.setdefault((file, stage), []).append(name)
    return [
        _summed_up(file, stage, [(reference[name], other[name]) for name in names])
        for (file, stage), names in groups.items()
    ]


def compare_files(reference: Path, other: Path) -> list[Difference]:
    """As `differences`, of two .npz files that masks.py wrote."""
    with np.load(reference) as a, np.load(other) as b:
        return differences(dict(a), dict(b))


def _summed_up(file: str, stage: str, pairs: list[tuple[Array, Array]]) -> Difference:
    bound = BOUNDS[stage]
    apart = [_steps_apart(a, b) for a, b in pairs]
    ious = [_iou(a, b) for a, b in pairs] if bound.mask_iou is not None else []
    largest, mean = max(float(one.max()) for one in apart), max(float(one.mean()) for one in apart)
    iou = min(ious, default=None)
    within = largest <= bound.largest and mean <= bound.mean and (iou is None or iou >= (bound.mask_iou or 0))
    differing = max(float((one > 0).mean()) for one in apart)
    return Difference(
        file=file,
        stage=stage,
        pictures=len(pairs),
        largest=largest,
        mean=mean,
        differing=differing,
        mask_iou=iou,
        within=within,
    )


def _steps_apart(a: Array, b: Array) -> Array:
    if a.shape != b.shape or a.dtype != b.dtype:
        return np.array([np.inf])
    difference = np.abs(a.astype(np.float64) - b)
    # what is no number is as far away as anything can be
    steps = difference if a.dtype.kind in "iu" else 255 * difference
    return np.asarray(np.nan_to_num(steps, nan=np.inf, posinf=np.inf))


def _iou(a: Array, b: Array) -> float:
    return mask_iou(_hard(a), _hard(b)) if a.shape == b.shape else 0.0


def _hard(mask: Array) -> npt.NDArray[np.bool_]:
    return np.asarray(mask > (127 if mask.dtype == np.uint8 else 0.5))
