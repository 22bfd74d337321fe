"""How much memory and arithmetic a graph may ask for; measured on shapes, before anything is allocated."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from segexport.networks.exported.program import GraphStep
from segexport.networks.exported.values import GraphError

MAX_VALUES = 2**28  # of one tensor: 1 GiB
MAX_LIVE = 2**30  # at one time
MAX_PRODUCTS = 2 * 10**13  # multiplications; DeepLabV3-ResNet101 at 1024x1024 takes 10**12
CONVOLUTIONS = ("conv2d.default", "conv2d.padding", "conv_transpose2d.input", "convolution.default")
PRODUCTS = ("matmul.default", "mm.default", "bmm.default", "linear.default", "addmm.default")


class Work:
    """Adds up what the steps take, and refuses what is too much."""

    def __init__(self) -> None:
        self.products = 0
        self.live = 0

    def take(self, step: GraphStep, results: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Count one step; `values` holds what it used."""
        for tensor in _tensors(results.values()):
            if tensor.numel() > MAX_VALUES:
                raise GraphError(f"{step.label} makes a tensor of shape {tuple(tensor.shape)}, which is far too large")
            self.live += tensor.numel()
        if self.live > MAX_LIVE:
            raise GraphError(f"{step.label}: {self.live:,} values at a time are too many, the limit is {MAX_LIVE:,}")
        self.products += _products(step, results, values)
        if self.products > MAX_PRODUCTS:
            raise GraphError(f"{step.label}: more than {MAX_PRODUCTS:,} multiplications are too many")

    def drop(self, value: Any) -> None:
        """Count off a result that no later step uses."""
        self.live -= value.numel() if isinstance(value, Tensor) else 0


def _tensors(values: Iterable[Any]) -> list[Tensor]:
    return [value for value in values if isinstance(value, Tensor)]


def _products(step: GraphStep, results: Mapping[str, Any], values: Mapping[str, Any]) -> int:
    result = next(iter(_tensors(results.values())), None)
    operands = [values[ref.name] for ref in step.args if hasattr(ref, "name")]
    shapes = [tuple(operand.shape) for operand in operands if isinstance(operand, Tensor)]
    if result is None or len(shapes) < 2:
        return 0
    if step.target in CONVOLUTIONS:
        wide = math.prod(shapes[0]) if "transpose" in step.target else result.numel()
        return wide * math.prod(shapes[1]) // max(shapes[1][0], 1)
    if step.target in PRODUCTS:
        inner = max((shape[-1] for shape in shapes[:2]), default=1)
        return result.numel() * inner
    return 0
