"""What the runtime needs of an interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorInfo:
    """Name, shape, dtype of a tensor, and its quantization where it has one. -1 in a shape: any size."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None


class Backend(Protocol):
    """A model that is loaded and ready."""

    name: str
    library: str
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]

    def run(self, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """One input tensor → the first output tensor, a new array."""
        ...
