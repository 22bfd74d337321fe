"""One model file against PyTorch's masks, through segruntime, as its users will run it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segexport.reference import Reference
from segruntime import Contract, load
from segruntime.agreement import Agreement, agreement, summed_up


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All pictures together, the picture with the lowest IoU, and the median time of one invoke."""

    agreement: Agreement
    worst: str
    worst_iou: float
    invoke_p50_ms: float
    pictures: int

    def to_row(self) -> dict[str, Any]:
        """What of it stands in a report's row."""
        return {
            **self.agreement.to_json(),
            "pictures": self.pictures,
            "worst_picture": self.worst,
            "worst_iou": self.worst_iou,
            "invoke_p50_ms": self.invoke_p50_ms,
        }


def compare(
    path: Path, reference: Reference, say: Callable[[str], None], *, contract: Contract | None = None
) -> Comparison:
    """Run the file on the reference's pictures and measure.

    Raises:
        SegRuntimeError: the file does not load.
    """
    segmenter = load(path, contract=contract)
    rows: list[Agreement] = []
    times: list[float] = []
    for index, (frame, mask) in enumerate(zip(reference.frames, reference.masks, strict=True)):
        say(f"{path.name} {index + 1}/{len(reference.frames)}")
        tensor = segmenter.preprocess(frame)
        started = time.perf_counter()
        output = segmenter.invoke(tensor)
        times.append(1000 * (time.perf_counter() - started))
        rows.append(agreement(mask, segmenter.probability(output)))
    worst = int(np.argmin([row.mask_iou for row in rows]))
    return Comparison(
        agreement=summed_up(rows),
        worst=reference.names[worst],
        worst_iou=rows[worst].mask_iou,
        invoke_p50_ms=float(np.median(times)),
        pictures=len(rows),
    )
