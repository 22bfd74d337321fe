"""Which place won in each window of a max-pool: what an unpool's rewrite computes, and what an argmax flip changes."""

from __future__ import annotations

from typing import Protocol, TypeAlias, runtime_checkable

from torch import Tensor
from torch.nn import functional as F

Parts: TypeAlias = tuple[Tensor, ...]
"""One tensor for each role that a place can have in a window: one where windows do not overlap, else several."""


@runtime_checkable
class Choice(Protocol):
    """A module whose output says which place won.

    It is a module of its own so that a forward hook can read what it chose, or put another choice in its place.
    """

    def __call__(self, x: Tensor, pooled: Tensor) -> Parts: ...

    def per_window(self, parts: Parts) -> Tensor:
        """The largest value among each window's places, `(N, C, h, w)`."""


def ones(pooled: Tensor) -> Tensor:
    """`(N, C, h, w)` → `(N, 1, h, w)` ones, computed, for `in_each_window`."""
    return pooled[:, :1].clamp(1, 1)


def in_each_window(windows: Tensor, pattern: Tensor) -> Tensor:
    """The pattern `(1, 1, k, k)` times each window `(N, 1, h, w)`, which is one or zero → `(N, 1, h·k, w·k)`.

    A constant of that size would be simpler; but onnx2tf takes the rows of a constant for its columns where sizes are alike,
    and says nothing. The weights of a convolution and tensors that are computed it gets right.
    """
    return F.conv_transpose2d(windows, pattern.to(windows.dtype), stride=pattern.shape[2])


def spread(x: Tensor, factor: int) -> Tensor:
    """`(N, C, h, w)` → `(N, C, h·factor, w·factor)`, each value repeated (nearest neighbour)."""
    return F.interpolate(x, scale_factor=factor, mode="nearest")
