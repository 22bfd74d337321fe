"""Adaptive max-pool to a fixed size, which ONNX has no operator for.

Needs: the size of what is pooled, which the exported graph fixes, and that nobody asks for the indices.
Does: to 1x1, the maximum of rows and columns; where all bins are alike and begin at equal distances, a plain max-pool; else the
    maximum of each bin's rows, put together, and then of each bin's columns.
Holds after: the same numbers, bit for bit.
"""

from __future__ import annotations

import operator

import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.nn import functional as F

from segexport.convert.torch_rewrites.bins import bins_of, plain_window, wanted_of
from segexport.convert.torch_rewrites.editor import GraphEditor
from segexport.convert.torch_rewrites.pools import Pair


class FixedMaxPool(nn.Module):
    """`(N, C, H, W)` of the given `size` → `(N, C, *target)`."""

    def __init__(self, size: Pair, target: Pair) -> None:
        super().__init__()
        self.target, self.window = target, plain_window(size, target)

    def forward(self, x: Tensor) -> Tensor:
        if self.target == (1, 1):
            return x.amax((2, 3), keepdim=True)
        if self.window is not None:
            return F.max_pool2d(x, *self.window)
        return _largest_of_bins(_largest_of_bins(x, 2, self.target[0]), 3, self.target[1])


def _largest_of_bins(x: Tensor, axis: int, bins: int) -> Tensor:
    parts = (x.narrow(axis, first, count) for first, count in bins_of(x.shape[axis], bins))
    return torch.cat([part.amax(axis, keepdim=True) for part in parts], axis)


def rewrite_adaptive_max_pool(editor: GraphEditor, node: Node) -> bool:
    """Rewrite `node`, an `aten.adaptive_max_pool2d`, of which the values alone are used."""
    wanted = wanted_of(node)
    users = list(node.users)
    if wanted is None or any(user.target is not operator.getitem or user.args[1] != 0 for user in users):
        return False
    source, size, target = wanted
    for user in users:
        editor.replace(user, FixedMaxPool(size, target), (source,))
    return True
