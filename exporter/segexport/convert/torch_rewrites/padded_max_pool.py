"""Max-pool with padding, without minus infinity, which converters write as a constant and which poisons int8 ranges.

Needs: a max-pool with padding or `ceil_mode`; with dilation, that nothing in what is pooled is below zero.
Does: where nothing is below zero (a ReLU or the like came before), pads with zeros; otherwise continues the first and the last
    row and column. Then pools without padding.
Holds after: the same numbers, bit for bit. A zero never beats the maximum of numbers that are zero or more. A window that
    begins before the first row reaches it (padding is at most half the kernel), so that row's values are in the window
    already; and alike at the other edges.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.nn import functional as F

from segexport.convert.torch_rewrites.editor import GraphEditor
from segexport.convert.torch_rewrites.pools import Pair, read_pool
from segexport.convert.torch_rewrites.signs import never_negative


class PaddedMaxPool(nn.Module):
    """`(N, C, *size)` → what `F.max_pool2d` gives; `zeros`: nothing in the input is below zero.

    `margins`: lines to add above and below, and left and right, see `margins`.
    """

    def __init__(
        self, kernel: Pair, stride: Pair, margins: tuple[Pair, Pair], *, dilation: Pair = (1, 1), zeros: bool
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.dilation, self.zeros = kernel, stride, dilation, zeros
        (self.above, self.below), (self.left, self.right) = margins

    def forward(self, x: Tensor) -> Tensor:
        if self.zeros:
            x = F.pad(x, (self.left, self.right, self.above, self.below))
        else:
            x = continued(continued(x, 2, self.above, self.below), 3, self.left, self.right)
        return F.max_pool2d(x, self.kernel, self.stride, dilation=self.dilation)


def continued(x: Tensor, axis: int, before: int, after: int) -> Tensor:
    """The first line `before` times, all lines, the last line `after` times."""
    first, last = x.narrow(axis, 0, 1), x.narrow(axis, x.shape[axis] - 1, 1)
    return torch.cat((*[first] * before, x, *[last] * after), axis) if before or after else x


def margins(size: int, kernel: int, stride: int, padding: int, dilation: int, *, ceil_mode: bool) -> Pair:
    """Lines to add before and after, so that a pool without padding has PyTorch's windows."""
    reach = dilation * (kernel - 1) + 1
    room = size + 2 * padding - reach
    windows = (-(-room // stride) if ceil_mode else room // stride) + 1
    if (
        ceil_mode and (windows - 1) * stride >= size + padding
    ):  # PyTorch drops a window that begins in the padding after
        windows -= 1
    return padding, max((windows - 1) * stride + reach - padding - size, 0)


def has_padding(node: Node) -> bool:
    """Whether `node`, a max-pool, pads."""
    pool = read_pool(node)
    return pool.padding != (0, 0) or pool.ceil_mode


def rewrite_padded_max_pool(editor: GraphEditor, node: Node) -> bool:
    """Rewrite `node`, an `aten.max_pool2d`, where it pads."""
    pool = read_pool(node)
    zeros = never_negative(pool.source)
    if not (has_padding(node) and (zeros or pool.dilation == (1, 1))):
        return False
    lines = zip(pool.size, pool.kernel, pool.stride, pool.padding, pool.dilation, strict=True)
    above, left = (margins(*axis, ceil_mode=pool.ceil_mode) for axis in lines)
    module = PaddedMaxPool(pool.kernel, pool.stride, (above, left), dilation=pool.dilation, zeros=zeros)
    editor.replace(node, module, (pool.source,))
    return True
