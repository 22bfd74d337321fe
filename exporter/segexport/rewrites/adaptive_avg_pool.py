"""Adaptive average pool to a fixed size, for converters that know plain averages only.

Needs: the size of what is pooled, which the exported graph fixes.
Does: to 1x1, a mean over rows and columns; to a size that divides the input's, a plain average pool; else bin i of n over H
    lines is floor(i·H/n) to ceil((i+1)·H/n), as PyTorch has it: the mean over each bin's rows, put together, and then
    over each bin's columns. All rows of a bin count alike, and so do all columns, so the mean of means is the mean.
Holds after: the same numbers up to rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.nn import functional as F

from segexport.rewrites.editor import Editor
from segexport.rewrites.pools import Pair, size_of


class FixedAvgPool(nn.Module):
    """`(N, C, H, W)` of the given `size` → `(N, C, *target)`."""

    def __init__(self, size: Pair, target: Pair) -> None:
        super().__init__()
        self.size, self.target = size, target

    def forward(self, x: Tensor) -> Tensor:
        (height, width), (rows, columns) = self.size, self.target
        if self.target == (1, 1):
            return x.mean((2, 3), keepdim=True)
        if height % rows == 0 and width % columns == 0:
            return F.avg_pool2d(x, (height // rows, width // columns))
        return mean_of_bins(mean_of_bins(x, 2, rows), 3, columns)


def mean_of_bins(x: Tensor, axis: int, bins: int) -> Tensor:
    """The mean of each bin along one axis."""
    means = [x.narrow(axis, first, count).mean(axis, keepdim=True) for first, count in bins_of(x.shape[axis], bins)]
    return torch.cat(means, axis)


def bins_of(size: int, bins: int) -> list[Pair]:
    """First line and number of lines of each bin; they overlap where `bins` does not divide `size`."""
    edges = [(index * size // bins, -(-(index + 1) * size // bins)) for index in range(bins)]
    return [(first, end - first) for first, end in edges]


def rewrite_adaptive_avg_pool(editor: Editor, node: Node) -> bool:
    """Rewrite `node`, an `aten.adaptive_avg_pool2d`."""
    source, wanted = node.args[0], node.args[1]
    if not isinstance(source, Node) or not isinstance(wanted, list | tuple):
        return False
    size = size_of(source)
    rows, columns = (int(n) if isinstance(n, int) else size[axis] for axis, n in enumerate(wanted))
    editor.replace(node, FixedAvgPool(size, (rows, columns)), (source,))
    return True
