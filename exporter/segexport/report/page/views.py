"""What the page shows next to the report: pictures, masks and which of them, and what a run of the files showed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from segexport.compare.rows import FileRow
from segruntime.measures.agreement import Agreement

PICTURES = 6
Frame = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskView:
    """One file's mask `(h, w) float32, 0–1` of a picture, and how near it comes to PyTorch's."""

    mask: Mask
    agreement: Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureView:
    """A picture `(H, W, 3) uint8, BGR, 0–255`, PyTorch's mask `(h, w) float32, 0–1`, and the files' masks by precision."""

    name: str
    frame: Frame
    reference: Mask
    masks: Mapping[str, MaskView]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a run of the files showed: all by precision; `spreads` hold counts in the bins of `report.page.histogram`."""

    spreads: Mapping[str, Counts] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    pictures: int = 0
    contract_of: str = ""
    contract: Mapping[str, Any] | None = None


def least_exact(rows: Sequence[FileRow], ran: Collection[str]) -> str | None:
    """int8 where it ran, else the precision that came least near of those that ran; None where nothing ran."""
    there = [row for row in rows if row.precision in ran]
    if not there:
        return None
    return min(there, key=lambda row: (row.precision != "int8", row.mask_iou, -row.max_difference)).precision


def shown_masks(rows: Sequence[FileRow], ran: Collection[str]) -> tuple[str, ...]:
    """float32 and int8 where the export made them, and the least exact one where int8 is not to be had."""
    made = [row.precision for row in rows]
    wanted: list[str] = [name for name in ("float32", "int8") if name in made]
    least = least_exact(rows, ran)
    if least is not None and least not in wanted and ("int8" not in ran or "float32" not in ran):
        wanted.append(least)
    return tuple(wanted)


def worst_first(agreements: Sequence[Agreement], most: int = PICTURES) -> list[int]:
    """The pictures with the lowest IoU, and of equal ones those with the largest difference."""
    order = sorted(range(len(agreements)), key=lambda k: (agreements[k].mask_iou, -agreements[k].max_difference))
    return order[:most]
