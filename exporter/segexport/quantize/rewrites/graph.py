"""A .tflite in the object form of its schema, while a rewrite works on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segexport.tflite.operators import operator_code, operator_kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The main subgraph of `model`; `schema` is LiteRT's own."""

    schema: Any
    model: Any

    def kind(self, operator: Any) -> str:
        return operator_kind(self.schema, self.model, operator)

    def shape(self, index: int) -> tuple[int, ...]:
        return tuple(map(int, self.model.subgraphs[0].tensors[index].shape))

    def name(self, index: int) -> str:
        return str(self.model.subgraphs[0].tensors[index].name.decode())

    def add_constant(self, name: str, values: npt.NDArray[np.int32] | npt.NDArray[np.float32]) -> int:
        """A constant of that type and shape; gives its index."""
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        kind = self.schema.TensorType.INT32 if values.dtype == np.int32 else self.schema.TensorType.FLOAT32
        return self._add(name, values.shape, kind, len(self.model.buffers) - 1)

    def add_tensor(self, name: str, shape: Sequence[int]) -> int:
        """A float32 tensor that an operator will fill; gives its index."""
        return self._add(name, shape, self.schema.TensorType.FLOAT32, 0)

    def operator(self, kind: str, inputs: Sequence[int], output: int) -> Any:
        """One without options."""
        made = self.schema.OperatorT()
        made.opcodeIndex = operator_code(self.schema, self.model, kind, 1)
        made.inputs, made.outputs = list(inputs), [output]
        return made

    def _add(self, name: str, shape: Sequence[int], kind: int, buffer: int) -> int:
        tensor = self.schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), list(shape), kind, buffer
        tensors = self.model.subgraphs[0].tensors
        tensors.append(tensor)
        return len(tensors) - 1
