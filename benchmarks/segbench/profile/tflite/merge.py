"""Operators that XNNPACK turns into one: cut apart, each would take a time that in the whole nobody spends.

The rules are those of `xnn_subgraph_fusion` in XNNPACK's subgraph.c: a padding goes into the convolution that alone reads it, a
clamp into the operator whose output it alone reads.
"""

from __future__ import annotations

from collections import Counter

from segbench.profile.tflite.graph import Graph, Operator

_PADDED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
_CLAMPS = frozenset({"RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"})
_CLAMPED = frozenset(
    {
        "ADD",
        "AVERAGE_POOL_2D",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "DIV",
        "FULLY_CONNECTED",
        "MAX_POOL_2D",
        "MUL",
        "SUB",
        "TRANSPOSE_CONV",
        "Convolution2DTransposeBias",
    }
)


def merged(graph: Graph, on_xnnpack: frozenset[int]) -> list[tuple[Operator, ...]]:
    """The operators in the order in which they run; those that XNNPACK turns into one stand together, where the last one is.

    `on_xnnpack`: numbers of the operators that XNNPACK has.
    """
    readers = Counter(tensor for one in graph.operators for tensor in one.inputs)
    readers.update(graph.outputs)
    makers = {tensor: one for one in graph.operators for tensor in one.outputs}
    groups: dict[int, tuple[Operator, ...]] = {}
    for operator in graph.operators:
        group: tuple[Operator, ...] = (operator,)
        before = [makers[tensor] for tensor in operator.inputs if tensor in makers and readers[tensor] == 1]
        for one in before:
            if {one.index, operator.index} <= on_xnnpack and _become_one(one, operator):
                group = (*groups.pop(one.index), *group)
        groups[operator.index] = group
    return list(groups.values())


def _become_one(first: Operator, second: Operator) -> bool:
    if first.kind == "PAD":
        return second.kind in _PADDED
    return second.kind in _CLAMPS and first.kind in _CLAMPED
