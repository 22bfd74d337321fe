"""Attention with a mask, without minus infinity, which ONNX files hold as -3.4e38 and which no int8 range survives.

Needs: scaled_dot_product_attention that is causal, or whose mask is a constant: truths, or numbers that are added, some of them
    below -1e30; each query sees at least one key.
Does: scores a key that a query does not see 110 below the least score of that query, and takes the softmax.
Holds after: the same numbers to rounding: exp(-110) is zero in float32. The range of the scores grows by 110.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Node

from segexport.convert.torch_rewrites.editor import GraphEditor
from segexport.convert.torch_rewrites.pools import arguments_of

ATTENTION = torch.ops.aten.scaled_dot_product_attention.default
BELOW = 110.0
UNSEEN = -1e30


class MaskedAttention(nn.Module):
    """`(…, L, E)`, `(…, S, E)`, `(…, S, D)` → `(…, L, D)`; `seen`: bool and `added`: float32, both as PyTorch's masks."""

    seen: Tensor
    added: Tensor | None

    def __init__(self, seen: Tensor, added: Tensor | None, scale: float) -> None:
        super().__init__()
        self.register_buffer("seen", seen)
        self.register_buffer("added", added)
        self.scale = scale

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        scores = (query * self.scale) @ key.transpose(-2, -1)
        if self.added is not None:
            scores = scores + self.added
        unseen = scores.amin(-1, keepdim=True) - BELOW
        return torch.where(self.seen, scores, unseen).softmax(-1) @ value


def rewrite_masked_attention(editor: GraphEditor, node: Node) -> bool:
    """Rewrite `node`, an `aten.scaled_dot_product_attention`, where its mask fits."""
    given = arguments_of(node)
    query, key, value = given["query"], given["key"], given["value"]
    seen, added = _mask(editor, given)
    if seen is None or not seen.any(-1).all() or given.get("dropout_p") or given.get("enable_gqa"):
        return False
    scale = given.get("scale") or 1 / math.sqrt(query.meta["val"].shape[-1])
    editor.replace(node, MaskedAttention(seen, added, scale), (query, key, value))
    return True


def is_masked(node: Node) -> bool:
    given = arguments_of(node)
    return bool(given.get("is_causal")) or given.get("attn_mask") is not None


def _mask(editor: GraphEditor, given: dict[str, Any]) -> tuple[Tensor | None, Tensor | None]:
    """Which keys each query sees, and what is added to the scores."""
    if given.get("is_causal"):
        queries, keys = (given[name].meta["val"].shape[-2] for name in ("query", "key"))
        return torch.ones(queries, keys, dtype=torch.bool).tril(), None
    mask = given.get("attn_mask")
    if not isinstance(mask, Node) or mask.op != "get_attr":
        return None, None
    values: Tensor = editor.constant(mask).detach()
    if values.dtype == torch.bool:
        return values, None
    seen = values > UNSEEN
    return (None, None) if seen.all() else (seen, values.masked_fill(~seen, 0))
