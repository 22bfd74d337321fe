"""Max-unpool after a pool whose windows do not overlap, without indices.

Needs: a pool of 2x2 by stride 2 or 3x3 by stride 3, no padding, and an unpool to the size that was pooled, with that
    pool's indices and any values.
Does: marks the places that reach their window's maximum; ranks them, since PyTorch takes the first of equal ones in raster
    order; keeps the best; spreads the values and multiplies with the marks. Rows and columns that no window covers are zero.
Holds after: the same numbers, bit for bit; no constant is as large as the picture, nothing has five dimensions, and the place
    that won is a GREATER_EQUAL that can be read in the converted file.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.nn import functional as F

from segexport.convert.torch_rewrites.choice import Parts, in_each_window, ones, spread
from segexport.convert.torch_rewrites.editor import GraphEditor
from segexport.convert.torch_rewrites.pools import Pool, pool_of_indices

KERNELS = (2, 3)


class WindowChoice(nn.Module):
    """What was pooled `(N, C, H, W)` and its pool `(N, C, h, w)` → one mask `(N, C, h·k, w·k)` bool: the place that won."""

    ranks: Tensor

    def __init__(self, kernel: int, height: int, width: int) -> None:
        super().__init__()
        self.kernel, self.height, self.width = kernel, height // kernel * kernel, width // kernel * kernel
        ranks = torch.arange(kernel * kernel, 0, -1.0)  # the first place in raster order is best; 0 is no hit
        self.register_buffer("ranks", ranks.view(1, 1, kernel, kernel))

    def forward(self, x: Tensor, pooled: Tensor) -> Parts:
        hit = spread(pooled, self.kernel) <= x[:, :, : self.height, : self.width]
        code = hit.to(x.dtype) * in_each_window(ones(pooled), self.ranks)
        return (code >= spread(self.per_window((code,)), self.kernel),)

    def per_window(self, parts: Parts) -> Tensor:
        """The largest value among each window's places: `(N, C, h·k, w·k)` → `(N, C, h, w)`."""
        return F.max_pool2d(parts[0], self.kernel)


class Unpool(nn.Module):
    """Values `(N, C, h, w)`, a `WindowChoice` → `(N, C, H, W)`: each value at the place that won, zeros elsewhere."""

    def __init__(self, kernel: int, height: int, width: int) -> None:
        super().__init__()
        self.kernel, self.below, self.right = kernel, height % kernel, width % kernel

    def forward(self, values: Tensor, choice: Parts) -> Tensor:
        out = spread(values, self.kernel) * choice[0].to(values.dtype)
        return F.pad(out, (0, self.right, 0, self.below)) if self.below or self.right else out


def fits(pool: Pool) -> bool:
    """Does the pool meet what is needed?"""
    kernel = pool.kernel[0]
    alone = pool.padding == (0, 0) and pool.dilation == (1, 1) and not pool.ceil_mode
    return alone and kernel in KERNELS and pool.kernel == pool.stride == (kernel, kernel)


def rewrite_max_unpool(editor: GraphEditor, node: Node) -> bool:
    """Rewrite `node`, an `aten.max_unpool2d`, where its pool fits."""
    pool = pool_of_indices(node)
    if pool is None or not fits(pool):
        return False
    kernel, (height, width) = pool.kernel[0], pool.size
    choice = editor.choice_of(pool, lambda: WindowChoice(kernel, height, width))
    editor.replace(node, Unpool(kernel, height, width), (node.args[0], choice))
    return True
