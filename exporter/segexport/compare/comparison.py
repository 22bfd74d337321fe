"""One model file against PyTorch's masks, through segruntime, as its users will run it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from segexport.compare.reference import Reference
from segruntime import Contract, Segmenter
from segruntime.measures.agreement import Agreement, agreement, summed_up

LEAST_PICTURES = 3
"""Compared at least, however slow a file is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMasks:
    """What the file `name` gave: probabilities `(N, h, w) float32, 0–1`, of which pictures, and the time of each invoke.

    `contract` says what goes in and out of it.
    """

    name: str
    contract: Contract
    masks: npt.NDArray[np.float32]
    places: tuple[int, ...]
    invoke_ms: tuple[float, ...]

    def at(self, places: Sequence[int]) -> FileMasks | None:
        """What it gave of the pictures at `places`, in that order; None where it has not seen them all."""
        if not set(places) <= set(self.places):
            return None
        rows = [self.places.index(place) for place in places]
        return replace(
            self, masks=self.masks[rows], places=tuple(places), invoke_ms=tuple(self.invoke_ms[k] for k in rows)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All pictures together, IoU and largest difference of each, the one with the lowest IoU, and the median invoke time."""

    agreement: Agreement
    ious: tuple[float, ...]
    differences: tuple[float, ...]
    worst: str
    invoke_p50_ms: float

    @property
    def pictures(self) -> int:
        return len(self.ious)

    def to_row(self) -> dict[str, Any]:
        """What of it stands in a report's row."""
        return {
            **self.agreement.to_json(),
            "pictures": self.pictures,
            "worst_picture": self.worst,
            "worst_iou": min(self.ious),
            "invoke_p50_ms": self.invoke_p50_ms,
        }


def run_file(
    segmenter: Segmenter,
    frames: Sequence[npt.NDArray[np.uint8]] | npt.NDArray[np.uint8],
    say: Callable[[str], None],
    *,
    limit_s: float | None = None,
    places: Sequence[int] | None = None,
) -> FileMasks:
    """Run the file on `frames` `(H, W, 3) uint8, BGR`, or on those at `places`, in that order.

    After `limit_s` seconds and three pictures it ends early.
    """
    chosen = range(len(frames)) if places is None else places
    masks: list[npt.NDArray[np.float32]] = []
    times: list[float] = []
    begun = time.monotonic()
    for index, place in enumerate(chosen):
        if limit_s is not None and index >= LEAST_PICTURES and time.monotonic() - begun > limit_s:
            break
        say(f"{segmenter.path.name} {index + 1}/{len(chosen)}")
        tensor = segmenter.preprocess(frames[place])
        started = time.perf_counter()
        output = segmenter.invoke(tensor)
        times.append(1000 * (time.perf_counter() - started))
        masks.append(segmenter.probability(output))
    return FileMasks(
        name=segmenter.path.name,
        contract=segmenter.contract,
        masks=np.stack(masks),
        places=tuple(chosen[: len(masks)]),
        invoke_ms=tuple(times),
    )


def compare(ran: FileMasks, reference: Reference) -> Comparison:
    """The file's masks against PyTorch's of the same pictures."""
    rows = [agreement(reference.masks[place], found) for place, found in zip(ran.places, ran.masks, strict=True)]
    ious = tuple(row.mask_iou for row in rows)
    return Comparison(
        agreement=summed_up(rows),
        ious=ious,
        differences=tuple(row.max_difference for row in rows),
        worst=reference.names[ran.places[int(np.argmin(ious))]],
        invoke_p50_ms=float(np.median(ran.invoke_ms)),
    )
