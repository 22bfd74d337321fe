"""Resizings of which converters keep the sizes alone: by a factor that is not the sizes' ratio, antialiased, nearest-exact.

Needs: an upsampling in two dimensions, whose sizes the exported graph fixes.
Does: asks PyTorch how each line of the output weighs the lines of the input, and whether it were the same by the sizes alone.
    Where it is not: of nearest neighbours, a selection of rows and one of columns; of the others, weights along both axes.
Holds after: the same numbers, of nearest neighbours bit for bit, of the others to rounding. `floor(16 · 0.7) = 11` lines are
    16/11 apart for a converter, 1/0.7 for PyTorch; onnx2tf goes by the former, and version 2 never antialiases, silently.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.nn import functional as F

from segexport.convert.torch_rewrites.along_axes import AlongAxes
from segexport.convert.torch_rewrites.editor import GraphEditor
from segexport.convert.torch_rewrites.pools import Pair, arguments_of, size_of

aten = torch.ops.aten
NEAREST, NEAREST_EXACT = aten.upsample_nearest2d, aten._upsample_nearest_exact2d
BY_SIZE: dict[Any, Any] = {
    NEAREST: NEAREST,
    NEAREST_EXACT: NEAREST,
    aten.upsample_bilinear2d: aten.upsample_bilinear2d,
    aten.upsample_bicubic2d: aten.upsample_bicubic2d,
    aten._upsample_bilinear2d_aa: aten.upsample_bilinear2d,
    aten._upsample_bicubic2d_aa: aten.upsample_bicubic2d,
}
"""Each resizing, and the one that converters make of it."""
RESIZINGS = tuple(resizing.vec for resizing in BY_SIZE)


class BySize(nn.Module):
    """`(N, C, H, W)` → `(N, C, *target)` by nearest neighbours."""

    def __init__(self, target: Pair) -> None:
        super().__init__()
        self.target = target

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, size=self.target, mode="nearest")


class Selected(nn.Module):
    """`(N, C, H, W)` → `(N, C, h, w)`: the rows and the columns of these numbers, `(h,)` and `(w,)` int64."""

    rows: Tensor
    columns: Tensor

    def __init__(self, rows: Tensor, columns: Tensor) -> None:
        super().__init__()
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns)

    def forward(self, x: Tensor) -> Tensor:
        return x.index_select(2, self.rows).index_select(3, self.columns)


def rewrite_resizing(editor: GraphEditor, node: Node) -> bool:
    """Rewrite `node`, one of `RESIZINGS`, where converters would make another of it."""
    if not is_mistaken(node):
        return False
    rows, columns = _weights(node, node.target.overloadpacket)  # type: ignore[union-attr]  # an operator
    module: nn.Module
    if node.target not in (NEAREST.vec, NEAREST_EXACT.vec):
        module = AlongAxes(rows, columns)
    elif _same((rows, columns), _weights(node, NEAREST, by_size=True)):
        module = BySize(size_of(node))
    else:
        module = Selected(rows.argmax(1), columns.argmax(1))
    editor.replace(node, module, (node.args[0],))
    return True


def is_mistaken(node: Node) -> bool:
    """Whether what converters make of it has other weights, or another name."""
    resizing: Any = node.target.overloadpacket  # type: ignore[union-attr]  # an operator
    if resizing is NEAREST_EXACT:
        return True
    if BY_SIZE[resizing] is resizing and _factors_are_the_sizes(node):
        return False
    return not _same(_weights(node, resizing), _weights(node, BY_SIZE[resizing], by_size=True))


def _factors_are_the_sizes(node: Node) -> bool:
    given = arguments_of(node)
    factors, before, after = given.get("scale_factors"), size_of(given["input"]), size_of(node)
    return not factors or all(b * f == a for b, f, a in zip(before, factors, after, strict=True))


def _weights(node: Node, resizing: Any, *, by_size: bool = False) -> tuple[Tensor, Tensor]:
    """How each row of the output weighs the input's, `(h, H)`, and each column, `(w, W)`; `by_size`: without the factors."""
    given = arguments_of(node)
    corners = [given["align_corners"]] if "align_corners" in given and resizing not in (NEAREST, NEAREST_EXACT) else []
    factors = None if by_size else given.get("scale_factors")
    axes = []
    for axis, (before, after) in enumerate(zip(size_of(given["input"]), size_of(node), strict=True)):
        factor = factors[axis] if factors else None
        each_line = torch.eye(before).view(1, before, before, 1).repeat(1, 1, 1, 2)  # of one column PyTorch's are wrong
        axes.append(resizing(each_line, [after, 2], *corners, factor, None)[0, :, :, 0].T.contiguous())
    return axes[0], axes[1]


def _same(some: tuple[Tensor, Tensor], others: tuple[Tensor, Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(some, others, strict=True))
