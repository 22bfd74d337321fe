"""Which tensors of an exported ATen graph hold nothing below zero, whatever the picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.fx import Node

aten = torch.ops.aten
NEVER_NEGATIVE = "never_negative"  # in the meta of a node that a rewrite put there: what was known of the node before

ALWAYS = {
    aten.relu.default,
    aten.relu6.default,
    aten.sigmoid.default,
    aten.hardsigmoid.default,
    aten.softmax.int,
    aten._softmax.default,
    aten.softplus.default,
    aten.abs.default,
    aten.exp.default,
}
WHERE_THEIR_INPUT_DOES = {
    aten.clone.default,
    aten.contiguous.default,
    aten.dropout.default,
    aten.max_pool2d.default,
    aten.avg_pool2d.default,
    aten.adaptive_avg_pool2d.default,
    aten.adaptive_max_pool2d.default,
    aten.max_unpool2d.default,
    aten.upsample_nearest2d.vec,
    aten.upsample_bilinear2d.vec,
    aten.slice.Tensor,
    aten.mean.dim,
}
WHERE_ALL_THEIR_INPUTS_DO = {aten.add.Tensor, aten.mul.Tensor, aten.cat.default}
LEAST = {aten.clamp.default, aten.clamp_min.default, aten.hardtanh.default}
"""Their second argument is the least value that leaves them; `hardtanh` has -1 for it."""


def never_negative(node: Any) -> bool:
    """True only where it can be seen from the operators before `node`; numbers count as what they are."""
    return _seen(node, {})


def _seen(node: Any, known: dict[Node, bool]) -> bool:
    if not isinstance(node, Node):
        return isinstance(node, int | float) and node >= 0
    if node not in known:
        known[node] = False
        known[node] = _follows(node, known)
    return known[node]


def _follows(node: Node, known: dict[Node, bool]) -> bool:
    if node.target in ALWAYS or node.meta.get(NEVER_NEGATIVE, False):
        return True
    if node.target in LEAST:
        least = node.args[1] if len(node.args) > 1 else node.kwargs.get("min", -1)
        return isinstance(least, int | float) and least >= 0
    if node.target in WHERE_THEIR_INPUT_DOES:
        return _seen(node.args[0], known)
    if node.target in WHERE_ALL_THEIR_INPUTS_DO:
        first = node.args[0]
        inputs: Iterable[Any] = first if isinstance(first, list | tuple) else node.args
        return not node.kwargs and all(_seen(item, known) for item in inputs)
    return False
