"""Max-unpool after a 3x3 pool by stride 2 with padding 1, whose windows overlap, without indices.

Needs: that pool, and an unpool to the size that was pooled, with its indices and any values.
Does: window (i, j) covers rows 2i-1 to 2i+1 and columns alike, so a place in row r belongs to window r // 2 (`near`), and
    where r is odd to window r // 2 + 1 (`far`) as well; with columns that makes four roles. For each role, places that reach
    their window's maximum are ranked (the first in raster order is best, as in PyTorch), a window's best rank is the
    maximum over its nine places in their roles, and the place that has it won. Two windows may name one place: as in
    PyTorch on the CPU (`threads.py`), the last window in raster order wins, so roles are laid over each other near-near, near-far, far-near,
    far-far.
Holds after: the same numbers, bit for bit; every constant is `(1, 1, H, 1)` or `(1, 1, 1, W)`, nothing has five dimensions, and
    the place that won is a GREATER_EQUAL for each role that can be read in the converted file.
"""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.nn import functional as F

from segexport.rewrites.choice import Parts, spread
from segexport.rewrites.editor import Editor
from segexport.rewrites.pools import Pool, pool_of_indices

ROLES = ((False, False), (False, True), (True, False), (True, True))
"""(row is far, column is far), in the raster order of the windows."""
NO_PLACE = -9.0  # no rank of the other axis lifts it above zero
HALF_A_RANK = (
    0.5  # ranks are whole numbers; int8 gives each role a scale of its own, and then equal ones differ a little
)


class OverlappingChoice(nn.Module):
    """What was pooled `(N, C, H, W)` and its pool `(N, C, h, w)` → four masks `(N, C, 2h, 2w)` bool: the places that won.

    Odd sizes are continued with their last row or column: it ties with the real one, comes later, and so never wins.
    """

    near_rows: Tensor
    far_rows: Tensor
    near_columns: Tensor
    far_columns: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        for name, size, step, shape in (("rows", height, 3, (1, 1, -1, 1)), ("columns", width, 1, (1, 1, 1, -1))):
            near, far = _ranks(size + size % 2)
            lift = 1 if name == "columns" else 0  # the least rank of all is 1, above what is no hit
            self.register_buffer(f"near_{name}", (near * step + lift).view(shape))
            self.register_buffer(f"far_{name}", torch.where(far < 0, NO_PLACE, far * step + lift).view(shape))

    def forward(self, x: Tensor, pooled: Tensor) -> Parts:
        x = _even(x)
        codes = []
        for far_row, far_column in ROLES:
            hit = (seen_by(pooled, far_row, far_column) <= x).to(self.near_rows.dtype)
            rows = self.far_rows if far_row else self.near_rows
            columns = self.far_columns if far_column else self.near_columns
            codes.append(hit * rows + hit * columns)
        least = self.per_window(tuple(codes)) - HALF_A_RANK
        return tuple(code >= seen_by(least, *role) for code, role in zip(codes, ROLES, strict=True))

    def per_window(self, parts: Parts) -> Tensor:
        """The largest value among each window's places in their roles, or zero: four of `(N, C, 2h, 2w)` → `(N, C, h, w)`."""
        blocks = (F.max_pool2d(part, 2) for part in parts)
        return reduce(torch.maximum, (_moved_on(block, *role) for block, role in zip(blocks, ROLES, strict=True)))


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
    """Blocks of two by two to the windows that see them in that role; no block before the first window: zero."""
    height, width = x.shape[2:]
    if not (far_row or far_column):
        return x
    return F.pad(x[:, :, : height - far_row, : width - far_column], (int(far_column), 0, int(far_row), 0))


def _ranks(size: int) -> tuple[Tensor, Tensor]:
    """Rank (2, 1, 0 from the window's first line to its last) of each line in its near and its far window; -1: no window."""
    line = torch.arange(size)
    near = 1.0 - line % 2
    far = torch.where((line % 2 == 1) & (line < size - 1), 2.0, -1.0)
    return near, far


def _even(x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    if height % 2:
        x = torch.cat((x, x[:, :, -1:]), 2)
    return torch.cat((x, x[:, :, :, -1:]), 3) if width % 2 else x


def fits(pool: Pool) -> bool:
    """Does the pool meet what is needed?"""
    plain = pool.dilation == (1, 1) and not pool.ceil_mode
    return plain and (pool.kernel, pool.stride, pool.padding) == ((3, 3), (2, 2), (1, 1))


def rewrite_overlapping_unpool(editor: Editor, node: Node) -> bool:
    """Rewrite `node`, an `aten.max_unpool2d`, where its pool fits."""
    pool = pool_of_indices(node)
    if pool is None or not fits(pool):
        return False
    choice = editor.choice_of(pool, lambda: OverlappingChoice(*pool.size))
    editor.replace(node, OverlappingUnpool(*pool.size), (node.args[0], choice))
    return True
