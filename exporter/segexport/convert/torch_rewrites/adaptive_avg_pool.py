"""Adaptive average pool to a fixed size, for converters that know plain averages only.

Needs: the size of what is pooled, which the exported graph fixes.
Does: bin i of n over H lines is floor(i·H/n) to ceil((i+1)·H/n), as PyTorch has it. To 1x1, a mean over rows and columns; where
    all bins are alike and begin at equal distances, a plain average pool; else weights along both axes (see along_axes.py): all
    rows of a bin count alike, and so do all columns, so the mean of means is the mean.
Holds after: the same numbers up to rounding, in at most two convolutions and three transposes, however many bins there are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.nn import functional as F

from segexport.convert.torch_rewrites.along_axes import AlongAxes
from segexport.convert.torch_rewrites.bins import plain_window, wanted_of
from segexport.convert.torch_rewrites.editor import GraphEditor
from segexport.convert.torch_rewrites.pools import Pair


class FixedAvgPool(nn.Module):
    """`(N, C, H, W)` of the given `size` → `(N, C, *target)`."""

    def __init__(self, size: Pair, target: Pair) -> None:
        super().__init__()
        self.whole, self.window = target == (1, 1), plain_window(size, target)
        self.weighted = None if self.window else AlongAxes(*map(weights_of, size, target))

    def forward(self, x: Tensor) -> Tensor:
        if self.whole:
            return x.mean((2, 3), keepdim=True)
        if self.window is not None:
            return F.avg_pool2d(x, *self.window)
        out: Tensor = self.weighted(x)  # type: ignore[misc]  # one of the two
        return out


def weights_of(size: int, bins: int) -> Tensor:
    """How each bin weighs the lines, `(bins, size)`."""
    return F.adaptive_avg_pool2d(torch.eye(size).view(1, size, size, 1), (bins, 1))[0, :, :, 0].T


def rewrite_adaptive_avg_pool(editor: GraphEditor, node: Node) -> bool:
    """Rewrite `node`, an `aten.adaptive_avg_pool2d`."""
    wanted = wanted_of(node)
    if wanted is None:
        return False
    source, size, target = wanted
    editor.replace(node, FixedAvgPool(size, target), (source,))
    return True
