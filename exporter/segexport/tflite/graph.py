"""The operators of a TFLite file, in the order in which they run, and the blocks that they form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segexport.tflite.flatbuffer import Graph, read_graph

WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operator of the main subgraph. `name` is its first output's, the name that quantization recipes use."""

    index: int
    kind: str
    name: str
    inputs: tuple[str, ...]
    """Tensors that other operators or the caller fill; constants are left out."""
    outputs: tuple[str, ...]
    weight_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A convolution (or another operator with weights) and what follows it up to the next one."""

    number: int
    operators: tuple[Operator, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(operator.name for operator in self.operators)

    @property
    def weight_bytes(self) -> int:
        return sum(operator.weight_bytes for operator in self.operators)


def read_operators(path: Path) -> tuple[Operator, ...]:
    """All operators of the main subgraph; the file is one that a converter of ours has just written."""
    graph = read_graph(path)
    return tuple(_operator(graph, index, operator) for index, operator in enumerate(graph.operators))


def _operator(graph: Graph, index: int, operator: Any) -> Operator:
    inputs, names = graph.inputs(operator), tuple(graph.name(k) for k in operator.outputs)
    stored = {k: constant.nbytes for k in inputs if (constant := graph.constant(k)) is not None}
    return Operator(
        index=index,
        kind=graph.kind(operator),
        name=names[0],
        inputs=tuple(graph.name(k) for k in inputs if k not in stored),
        outputs=names,
        weight_bytes=sum(stored.get(k, 0) for k in inputs),
    )


def split_into_blocks(operators: Sequence[Operator]) -> tuple[Block, ...]:
    """Blocks in the order in which they run; what runs before the first operator with weights belongs to the first."""
    groups: list[list[Operator]] = []
    for operator in operators:
        starts = operator.kind in WEIGHTED and (not groups or any(other.kind in WEIGHTED for other in groups[-1]))
        if starts or not groups:
            groups.append([])
        groups[-1].append(operator)
    return tuple(Block(number=number, operators=tuple(group)) for number, group in enumerate(groups))


def logit_tensor(operators: Sequence[Operator]) -> str | None:
    """The tensor that the last operator, a sigmoid, turns into the probability; None where the graph ends otherwise."""
    last = operators[-1]
    return last.inputs[0] if last.kind == "LOGISTIC" and last.inputs else None
