"""Average pool with `ceil_mode`, whose last windows reach over the edge and count what is there.

Needs: an average pool with `ceil_mode`, whose size the exported graph fixes; no divisor of its own, and padding only where it
    counts.
Does: where no window reaches over the edge, the same pool without `ceil_mode`; else the mean of each window's rows, of the last
    one's those that are left, and then of each window's columns.
Holds after: the same numbers up to rounding. onnx2tf 2.6.9 divides the last windows by all of the kernel, silently.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.nn import functional as F

from segexport.convert.torch_rewrites.editor import GraphEditor
from segexport.convert.torch_rewrites.pools import Pair, arguments_of, pair_of, size_of

AVG_POOL = torch.ops.aten.avg_pool2d.default


@dataclass(frozen=True, slots=True, kw_only=True)
class _Windows:
    """Along one axis, padding included: the full ones begin every `stride` lines; `rest`: first line and lines of one more."""

    kernel: int
    stride: int
    rest: Pair | None


class CeilAvgPool(nn.Module):
    """`(N, C, *size)` → what `F.avg_pool2d` gives with `ceil_mode` and padding that counts."""

    def __init__(self, size: Pair, kernel: Pair, stride: Pair, padding: Pair) -> None:
        super().__init__()
        self.padding = padding
        self.rows, self.columns = (_windows(*axis) for axis in zip(size, kernel, stride, padding, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = self.rows, self.columns
        if rows.rest is None and columns.rest is None:
            return F.avg_pool2d(x, (rows.kernel, columns.kernel), (rows.stride, columns.stride), self.padding)
        if self.padding != (0, 0):
            x = F.pad(x, (self.padding[1],) * 2 + (self.padding[0],) * 2)
        x = _means(x, 2, rows, F.avg_pool2d(x, (rows.kernel, 1), (rows.stride, 1)))
        return _means(x, 3, columns, F.avg_pool2d(x, (1, columns.kernel), (1, columns.stride)))


def _means(x: Tensor, axis: int, windows: _Windows, full: Tensor) -> Tensor:
    if windows.rest is None:
        return full
    return torch.cat((full, x.narrow(axis, *windows.rest).mean(axis, keepdim=True)), axis)


def _windows(size: int, kernel: int, stride: int, padding: int) -> _Windows:
    lines = size + 2 * padding
    first = ((lines - kernel) // stride + 1) * stride
    more = (
        lines - kernel
    ) % stride > 0 and first < size + padding  # PyTorch drops one that begins in the padding after
    return _Windows(kernel=kernel, stride=stride, rest=(first, lines - first) if more else None)


def rewrite_ceil_avg_pool(editor: GraphEditor, node: Node) -> bool:
    """Rewrite `node`, an `aten.avg_pool2d`, where it has `ceil_mode`."""
    given = arguments_of(node)
    kernel, padding = pair_of(given["kernel_size"]), pair_of(given.get("padding", 0))
    counted = bool(given.get("count_include_pad", True)) or padding == (0, 0)
    source = given["self"]
    if not has_ceil_mode(node) or given.get("divisor_override") or not counted:
        return False
    stride = pair_of(given.get("stride") or kernel)
    if min(size + 2 * pad - k for size, pad, k in zip(size_of(source), padding, kernel, strict=True)) < 0:
        return False  # not one full window
    editor.replace(node, CeilAvgPool(size_of(source), kernel, stride, padding), (source,))
    return True


def has_ceil_mode(node: Node) -> bool:
    return bool(arguments_of(node).get("ceil_mode", False))
