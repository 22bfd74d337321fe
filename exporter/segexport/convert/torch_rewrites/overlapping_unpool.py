"""Max-unpool after a 3x3 pool by stride 2 with padding 1, whose windows overlap, without indices.

Needs: that pool, and an unpool to the size that was pooled, with its indices and any values.
Does: window (i, j) covers rows 2i-1 to 2i+1 and columns alike, so a place in row r belongs to window r // 2 (`near`), and
    where r is odd to window r // 2 + 1 (`far`) as well; with columns that makes four roles. For each role, places that reach
    their window's maximum are ranked (the first in raster order is best, as in PyTorch), a window's best rank is the
    maximum over its nine places in their roles, and the place that has it won. Two windows may name one place: as in
    PyTorch on the CPU (`threads.py`), the last window in raster order wins, so roles are laid over each other near-near,
    near-far, far-near, far-far.
Holds after: the same numbers, bit for bit; no constant is as large as the picture, nothing has five dimensions, and the places
    that won are a GREATER_EQUAL for each role that can be read in the converted file.
"""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.nn import functional as F

from segexport.convert.torch_rewrites.choice import Parts, in_each_window, ones, spread
from segexport.convert.torch_rewrites.editor import GraphEditor
from segexport.convert.torch_rewrites.pools import Pool, pool_of_indices

ROLES = ((False, False), (False, True), (True, False), (True, True))
"""(row is far, column is far), in the raster order of the windows."""
RANKS = (
    ((5.0, 4.0), (2.0, 1.0)),
    ((0.0, 6.0), (0.0, 3.0)),
    ((0.0, 0.0), (8.0, 7.0)),
    ((0.0, 0.0), (0.0, 9.0)),
)
"""For each role, the rank in its window of each place of a two-by-two block: 9 is a window's first place, 0 no place of it."""
HALF_A_RANK = (
    0.5  # ranks are whole numbers; int8 gives each role a scale of its own, and then equal ones differ a little
)


class OverlappingChoice(nn.Module):
    """What was pooled `(N, C, H, W)` and its pool `(N, C, h, w)` → four masks `(N, C, 2h, 2w)` bool: the places that won.

    Odd sizes are continued with their last row or column: it ties with the real one, comes later, and so never wins.
    """

    ranks: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("ranks", torch.tensor(RANKS).view(len(ROLES), 1, 1, 2, 2))

    def forward(self, x: Tensor, pooled: Tensor) -> Parts:
        x = _even(x)
        codes = []
        for role, ranks in zip(ROLES, self.ranks, strict=True):
            hit = seen_by(pooled, *role) <= x
            codes.append(hit.to(x.dtype) * in_each_window(_without_last(ones(pooled), *role), ranks))
        least = self.per_window(tuple(codes)) - HALF_A_RANK
        return tuple(code >= seen_by(least, *role) for code, role in zip(codes, ROLES, strict=True))

    def per_window(self, parts: Parts) -> Tensor:
        """The largest value among each window's places in their roles, or zero: four of `(N, C, 2h, 2w)` → `(N, C, h, w)`."""
        moved = (_moved_on(part, *role) for part, role in zip(parts, ROLES, strict=True))
        return reduce(torch.maximum, (F.max_pool2d(part, 2) for part in moved))


class OverlappingUnpool(nn.Module):
    """Values `(N, C, h, w)`, an `OverlappingChoice` → `(N, C, H, W)`: each value at the place that won, zeros elsewhere."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, values: Tensor, choice: Parts) -> Tensor:
        out = spread(values, 2) * choice[0].to(values.dtype)
        for role, won in zip(ROLES[1:], choice[1:], strict=True):
            out = torch.where(won, seen_by(values, *role), out)
        return out[:, :, : self.height, : self.width]


def seen_by(x: Tensor, far_row: bool, far_column: bool) -> Tensor:
    """What each place finds in its window of that role: `(N, C, h, w)` → `(N, C, 2h, 2w)`. Beyond the last window, the last."""
    if far_row:
        x = torch.cat((x[:, :, 1:], x[:, :, -1:]), 2)
    if far_column:
        x = torch.cat((x[:, :, :, 1:], x[:, :, :, -1:]), 3)
    return spread(x, 2)


def _moved_on(x: Tensor, far_row: bool, far_column: bool) -> Tensor:
    """Blocks of two by two to the windows that see them in that role; no block before the first window: zero.

    Moved as they are and pooled afterwards: `direct` takes one axis for another in what is pooled, where rows, columns and
    channels may be alike.
    """
    if far_row:
        x = torch.cat((_zeros(x[:, :, :2]), x[:, :, :-2]), 2)
    return torch.cat((_zeros(x[:, :, :, :2]), x[:, :, :, :-2]), 3) if far_column else x


def _without_last(x: Tensor, far_row: bool, far_column: bool) -> Tensor:
    """Zeros in the last row or column: there is no window beyond."""
    if far_row:
        x = torch.cat((x[:, :, :-1], _zeros(x[:, :, :1])), 2)
    return torch.cat((x[:, :, :, :-1], _zeros(x[:, :, :, :1])), 3) if far_column else x


def _zeros(x: Tensor) -> Tensor:
    """Of finite numbers."""
    return x * 0


def _even(x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    if height % 2:
        x = torch.cat((x, x[:, :, -1:]), 2)
    return torch.cat((x, x[:, :, :, -1:]), 3) if width % 2 else x


def fits(pool: Pool) -> bool:
    """Does the pool meet what is needed?"""
    plain = pool.dilation == (1, 1) and not pool.ceil_mode
    return plain and (pool.kernel, pool.stride, pool.padding) == ((3, 3), (2, 2), (1, 1))


def rewrite_overlapping_unpool(editor: GraphEditor, node: Node) -> bool:
    """Rewrite `node`, an `aten.max_unpool2d`, where its pool fits."""
    pool = pool_of_indices(node)
    if pool is None or not fits(pool):
        return False
    choice = editor.choice_of(pool, OverlappingChoice)
    editor.replace(node, OverlappingUnpool(*pool.size), (node.args[0], choice))
    return True
