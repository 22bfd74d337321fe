"""Max-pools in an exported ATen graph, and the way from an unpool's indices back to the pool that made them."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import Node

aten = torch.ops.aten
POOL = aten.max_pool2d.default
POOL_WITH_INDICES = aten.max_pool2d_with_indices.default
UNPOOL = aten.max_unpool2d.default
UNCHANGED = (aten.clone.default, aten.detach.default, aten.alias.default, aten.contiguous.default)

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A max-pool: its node, what it pools and the size (height, width) of that, and how."""

    node: Node
    source: Node
    size: Pair
    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    ceil_mode: bool

    def describe(self) -> str:
        """`kernel 3x3, stride 2x2, padding 1x1`, with dilation and ceil_mode where they are used."""
        parts = [f"kernel {_by(self.kernel)}", f"stride {_by(self.stride)}", f"padding {_by(self.padding)}"]
        parts += [f"dilation {_by(self.dilation)}"] if self.dilation != (1, 1) else []
        return ", ".join(parts + (["ceil_mode"] if self.ceil_mode else []))


def read_pool(node: Node) -> Pool:
    """`node` calls `POOL` or `POOL_WITH_INDICES`; what it leaves out has PyTorch's default."""
    given = arguments_of(node)
    source = given["self"]
    kernel = pair_of(given["kernel_size"])
    return Pool(
        node=node,
        source=source,
        size=size_of(source),
        kernel=kernel,
        stride=pair_of(given.get("stride") or kernel),
        padding=pair_of(given.get("padding", 0)),
        dilation=pair_of(given.get("dilation", 1)),
        ceil_mode=bool(given.get("ceil_mode", False)),
    )


def arguments_of(node: Node) -> dict[str, Any]:
    """What `node`, which calls an operator, gives it, by the operator's own names; nothing of what it leaves out."""
    names = (argument.name for argument in node.target._schema.arguments)  # type: ignore[union-attr]  # an operator
    return {**dict(zip(names, node.args, strict=False)), **node.kwargs}


def pool_of_indices(unpool: Node) -> Pool | None:
    """The pool whose indices `unpool` takes as they are, and to whose input's size it goes back; None where there is none."""
    pool = source_of_indices(unpool)
    return pool if pool is not None and pool.size == target_of(unpool) else None


def source_of_indices(unpool: Node) -> Pool | None:
    """The pool whose indices `unpool` takes as they are, whatever the sizes."""
    node = unpool.args[1]
    while isinstance(node, Node) and node.target in UNCHANGED:
        node = node.args[0]
    if not isinstance(node, Node) or node.target is not operator.getitem or node.args[1] != 1:
        return None
    made_by = node.args[0]
    if not isinstance(made_by, Node) or made_by.target != POOL_WITH_INDICES:
        return None
    return read_pool(made_by)


def target_of(unpool: Node) -> Pair:
    """(height, width) to which `unpool` goes."""
    return pair_of(unpool.args[2])


def size_of(node: Node) -> Pair:
    """(height, width) of the tensor that `node` gives."""
    height, width = node.meta["val"].shape[-2:]
    return int(height), int(width)


def pair_of(value: Any) -> Pair:
    """One number for both axes, or one for each."""
    values = [int(item) for item in (value if isinstance(value, list | tuple) else [value])]
    return values[0], values[-1]


def _by(pair: Pair) -> str:
    return f"{pair[0]}x{pair[1]}"
