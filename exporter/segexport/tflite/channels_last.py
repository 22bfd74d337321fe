"""Elementwise operators that a converter left with the channels in front, between two transposes, with the channels last.

Needs: elementwise operators whose inputs are turned from channels last to channels first (by a TRANSPOSE, or by a RESHAPE where
    there is one channel), or constants of one number or of four dimensions.
Does: lets them work on what was turned, and turns their result instead where something else still reads it; a transpose back
    then finds what it wants.
Holds after: the same numbers, bit for bit, fewer of them moved. A graph in which no fewer would be moved is left as it is.
"""

from __future__ import annotations

from copy import copy, deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segexport.tflite.operators import operator_kind

ELEMENTWISE = frozenset(
    {
        *("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "SELECT_V2"),
        *("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "LOGICAL_AND", "LOGICAL_OR"),
        *("CAST", "RELU", "RELU6", "LEAKY_RELU", "ELU", "HARD_SWISH", "GELU", "LOGISTIC", "TANH"),
        *("ABS", "NEG", "EXP", "LOG", "SQRT", "RSQRT", "SQUARE"),
    }
)
_TO_FRONT, _TO_BACK = (0, 3, 1, 2), (0, 2, 3, 1)


def put_channels_last(schema: Any, model: Any) -> bool:
    """Change `model`, in the object form of the schema; whether that moves fewer numbers."""
    graph = model.subgraphs[0]
    before, tensors, buffers = deepcopy(graph.operators), len(graph.tensors), len(model.buffers)
    turned = _Turned(schema=schema, model=model, graph=graph)
    moved = turned.moved(graph.operators)
    operators = turned.rewritten()
    if turned.moved(operators) < moved:
        graph.operators = operators
        return True
    graph.operators = before
    del graph.tensors[tensors:], model.buffers[buffers:]
    return False


@dataclass(slots=True, kw_only=True)
class _Turned:
    schema: Any
    model: Any
    graph: Any
    last: dict[int, int] = field(default_factory=dict)
    """Tensor with the channels in front → the same with the channels last."""
    instead: dict[int, int] = field(default_factory=dict)
    """Result of a transpose that is gone → what to read."""

    def rewritten(self) -> list[Any]:
        made: list[Any] = []
        for operator in self.graph.operators:
            operator.inputs = [self.instead.get(int(k), int(k)) for k in operator.inputs]
            kind = operator_kind(self.schema, self.model, operator)
            if self._is_to_front(operator, kind):
                self.last[int(operator.outputs[0])] = int(operator.inputs[0])
            elif kind == "TRANSPOSE" and self._order(operator) == _TO_BACK and int(operator.inputs[0]) in self.last:
                self.instead[int(operator.outputs[0])] = self.last[int(operator.inputs[0])]
                if int(operator.outputs[0]) not in set(map(int, self.graph.outputs)):
                    continue
            elif kind in ELEMENTWISE and self._can(operator):
                made += self._elementwise(operator)
                continue
            made.append(operator)
        return self._without_unread(made)

    def moved(self, operators: list[Any]) -> int:
        """Numbers that transposes move."""
        kinds = ((operator, operator_kind(self.schema, self.model, operator)) for operator in operators)
        return sum(int(np.prod(self._shape(int(o.outputs[0])))) for o, kind in kinds if kind == "TRANSPOSE")

    def _elementwise(self, operator: Any) -> list[Any]:
        """It on what has the channels last, and its result turned for anyone who reads it as it was."""
        front = int(operator.outputs[0])
        shape = self._shape(front)
        tensor = copy(self.graph.tensors[front])
        tensor.name = bytes(tensor.name) + b"_channels_last"
        tensor.shape, tensor.shapeSignature = np.array([shape[k] for k in _TO_BACK], np.int32), None
        self.graph.tensors.append(tensor)
        result = self.last[front] = len(self.graph.tensors) - 1
        operator.inputs = [
            self.last[k] if k in self.last else self._constant_last(k) for k in map(int, operator.inputs)
        ]
        operator.outputs = [result]
        turn = self.schema.OperatorT()
        turn.opcodeIndex = next(
            index
            for index, code in enumerate(self.model.operatorCodes)
            if max(code.builtinCode, code.deprecatedBuiltinCode) == self.schema.BuiltinOperator.TRANSPOSE
        )
        turn.inputs, turn.outputs = [result, self._order_tensor()], [front]
        return [operator, turn]

    def _can(self, operator: Any) -> bool:
        inputs = list(map(int, operator.inputs))
        if any(k < 0 for k in inputs) or not any(k in self.last for k in inputs) or len(operator.outputs) != 1:
            return False
        fits = all(k in self.last or self._is_fitting_constant(k) for k in inputs)
        return fits and len(self._shape(int(operator.outputs[0]))) == len(_TO_BACK)

    def _is_fitting_constant(self, index: int) -> bool:
        shape = self._shape(index)
        return self._data(index) is not None and (int(np.prod(shape)) == 1 or self._turns(index))

    def _turns(self, index: int) -> bool:
        """Whether a constant's numbers lie the same when its channels come last: all of its length is along one axis."""
        shape = self._shape(index)
        return len(shape) == len(_TO_BACK) and sum(extent != 1 for extent in shape) <= 1

    def _constant_last(self, index: int) -> int:
        shape = self._shape(index)
        if int(np.prod(shape)) == 1:
            return index
        tensor = copy(self.graph.tensors[index])
        tensor.name = bytes(tensor.name) + b"_channels_last"
        tensor.shape, tensor.shapeSignature = np.array([shape[k] for k in _TO_BACK], np.int32), None
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def _is_to_front(self, operator: Any, kind: str) -> bool:
        if kind == "TRANSPOSE":
            return self._order(operator) == _TO_FRONT
        if kind != "RESHAPE":
            return False
        before, after = self._shape(int(operator.inputs[0])), self._shape(int(operator.outputs[0]))
        return (
            len(before) == len(after) == len(_TO_BACK)
            and before[0] == before[3] == 1 == after[1]
            and (after == (1, 1, *before[1:3]))
        )

    def _order(self, operator: Any) -> tuple[int, ...]:
        data = self._data(int(operator.inputs[1]))
        return () if data is None else tuple(map(int, np.asarray(data, np.uint8).view(np.int32)))

    def _order_tensor(self) -> int:
        buffer, tensor = self.schema.BufferT(), self.schema.TensorT()
        buffer.data = np.array(_TO_FRONT, np.int32).view(np.uint8)
        self.model.buffers.append(buffer)
        tensor.name = f"to_front_{len(self.graph.tensors)}".encode()
        tensor.shape, tensor.type = np.array([len(_TO_FRONT)], np.int32), self.schema.TensorType.INT32
        tensor.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def _without_unread(self, operators: list[Any]) -> list[Any]:
        """Without the transposes and reshapes whose result nobody reads."""
        kept: list[Any] = []
        read = set(map(int, self.graph.outputs))
        for operator in reversed(operators):
            layout_only = operator_kind(self.schema, self.model, operator) in ("TRANSPOSE", "RESHAPE")
            if layout_only and int(operator.outputs[0]) not in read:
                continue
            read.update(map(int, operator.inputs))
            kept.append(operator)
        return kept[::-1]

    def _shape(self, index: int) -> tuple[int, ...]:
        shape = self.graph.tensors[index].shape
        return () if shape is None else tuple(map(int, shape))

    def _data(self, index: int) -> Any:
        data = self.model.buffers[self.graph.tensors[index].buffer].data
        return None if data is None or not len(data) else data
