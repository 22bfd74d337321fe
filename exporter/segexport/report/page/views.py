"""What the page shows next to the report: pictures with their masks, and what a run of the files showed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from segruntime.measures.agreement import Agreement

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
    """What a run of the files showed: all by precision; `spreads` hold counts in the bins of `segexport.report.page.spread`."""

    spreads: Mapping[str, Counts] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    pictures: int = 0
    contract_of: str = ""
    contract: Mapping[str, Any] | None = None
