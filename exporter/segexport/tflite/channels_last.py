"""Elementwise operators that a converter left with the channels in front, between two transposes, with the channels last.

Needs: elementwise operators whose inputs are turned from channels last to channels first (by a TRANSPOSE, or by a RESHAPE where
    there is one channel), or constants of one number or of four dimensions.
Does: lets them work on what was turned, and turns their result instead where something else still reads it; a transpose back
    then finds what it wants.
Holds after: the same numbers, bit for bit, fewer of them moved. A graph in which no fewer would be moved is left as it is.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segexport.tflite.flatbuffer import Graph

ELEMENTWISE = frozenset(
    {
        *("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "SELECT_V2"),
        *("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "LOGICAL_AND", "LOGICAL_OR"),
        *("CAST", "RELU", "RELU6", "LEAKY_RELU", "ELU", "HARD_SWISH", "GELU", "LOGISTIC", "TANH"),
        *("ABS", "NEG", "EXP", "LOG", "SQRT", "RSQRT", "SQUARE"),
    }
)
_TO_FRONT, _TO_BACK = (0, 3, 1, 2), (0, 2, 3, 1)


def put_channels_last(graph: Graph) -> bool:
    """Change the graph; whether that moves fewer numbers."""
    before, tensors, buffers = deepcopy(graph.operators), len(graph.main.tensors), len(graph.model.buffers)
    moved = _moved(graph, graph.operators)
    if not moved:
        return False
    operators = _Turned(graph=graph).rewritten()
    if _moved(graph, operators) < moved:
        graph.main.operators = operators
        return True
    graph.main.operators = before
    del graph.main.tensors[tensors:], graph.model.buffers[buffers:]
    return False


def _moved(graph: Graph, operators: list[Any]) -> int:
    """Numbers that transposes move."""
    turns = [operator for operator in operators if graph.kind(operator) == "TRANSPOSE"]
    return sum(int(np.prod(graph.shape(operator.outputs[0]))) for operator in turns)


@dataclass(slots=True, kw_only=True)
class _Turned:
    graph: Graph
    last: dict[int, int] = field(default_factory=dict)
    """Tensor with the channels in front → the same with the channels last."""
    instead: dict[int, int] = field(default_factory=dict)
    """Result of a transpose that is gone → what to read."""

    def rewritten(self) -> list[Any]:
        made: list[Any] = []
        for operator in self.graph.operators:
            operator.inputs = [self.instead.get(k, k) for k in operator.inputs]
            kind = self.graph.kind(operator)
            if self._is_to_front(operator, kind):
                self.last[operator.outputs[0]] = operator.inputs[0]
            elif kind == "TRANSPOSE" and self._order(operator) == _TO_BACK and operator.inputs[0] in self.last:
                self.instead[operator.outputs[0]] = self.last[operator.inputs[0]]
                if operator.outputs[0] not in self.graph.main.outputs:
                    continue
            elif kind in ELEMENTWISE and self._can(operator):
                made += self._elementwise(operator)
                continue
            made.append(operator)
        return self._without_unread(made)

    def _elementwise(self, operator: Any) -> list[Any]:
        """It on what has the channels last, and its result turned for anyone who reads it as it was."""
        front = operator.outputs[0]
        result = self.last[front] = self._like_but_last(front)
        operator.inputs = [self.last[k] if k in self.last else self._constant_last(k) for k in operator.inputs]
        operator.outputs = [result]
        return [operator, self._turn(result, front)]

    def _can(self, operator: Any) -> bool:
        inputs = operator.inputs
        if any(k < 0 for k in inputs) or not any(k in self.last for k in inputs) or len(operator.outputs) != 1:
            return False
        fits = all(k in self.last or self._is_fitting_constant(k) for k in inputs)
        return fits and len(self.graph.shape(operator.outputs[0])) == len(_TO_BACK)

    def _is_fitting_constant(self, index: int) -> bool:
        """Whether a constant's numbers lie the same when its channels come last: one number, or all along one axis."""
        shape = self.graph.shape(index)
        turns = len(shape) == len(_TO_BACK) and sum(extent != 1 for extent in shape) <= 1
        return self.graph.constant(index) is not None and (int(np.prod(shape)) == 1 or turns)

    def _constant_last(self, index: int) -> int:
        return index if int(np.prod(self.graph.shape(index))) == 1 else self._like_but_last(index)

    def _like_but_last(self, index: int) -> int:
        shape = self.graph.shape(index)
        return self.graph.add_like(index, "channels_last", [shape[k] for k in _TO_BACK])

    def _is_to_front(self, operator: Any, kind: str) -> bool:
        if kind == "TRANSPOSE":
            return self._order(operator) == _TO_FRONT
        if kind != "RESHAPE":
            return False
        before, after = self.graph.shape(operator.inputs[0]), self.graph.shape(operator.outputs[0])
        return (
            len(before) == len(after) == len(_TO_BACK)
            and before[0] == before[3] == 1 == after[1]
            and (after == (1, 1, *before[1:3]))
        )

    def _order(self, operator: Any) -> tuple[int, ...]:
        values = self.graph.constant(operator.inputs[1])
        return () if values is None else tuple(map(int, values))

    def _turn(self, source: int, target: int) -> Any:
        name = f"to_front_{len(self.graph.main.tensors)}"
        return self.graph.operator(
            "TRANSPOSE", [source, self.graph.add_constant(name, np.array(_TO_FRONT, np.int32))], target
        )

    def _without_unread(self, operators: list[Any]) -> list[Any]:
        """Without the transposes and reshapes whose result nobody reads."""
        kept: list[Any] = []
        read = set(self.graph.main.outputs)
        for operator in reversed(operators):
            layout_only = self.graph.kind(operator) in ("TRANSPOSE", "RESHAPE")
            if layout_only and operator.outputs[0] not in read:
                continue
            read.update(operator.inputs)
            kept.append(operator)
        return kept[::-1]
