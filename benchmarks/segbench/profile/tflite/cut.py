"""Some operators of a .tflite as a .tflite of their own, in memory.

Its inputs are the tensors that these operators need, its outputs those that the rest of the graph needs: nothing that they
compute is left out as unused, and nothing is computed twice.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from segbench.profile.tflite.graph import Graph, Operator, packed, schema_module

_SCHEMA_VERSION = 3
_ALIGNMENT = 16  # of the schema's `force_align`, which the Python builder does not know of


def cut(graph: Graph, operators: Sequence[Operator]) -> bytes:
    """`operators` as a flatbuffer; inputs and outputs stand as `graph.needs` and `graph.gives` name them.

    Constants come along, and so do the operators that unpack them.
    """
    return packed(_CutModel(graph, operators).model())


def in_order(graph: Graph, operators: Iterable[Operator]) -> list[Operator]:
    """`operators` and those that unpack constants for them, as they stand in the flatbuffer of `cut`."""
    wanted = list(operators)
    return sorted([*_unpacking_for(graph, wanted), *wanted], key=lambda one: one.index)


class _CutModel:
    """Tensors and buffers get new numbers as they are met."""

    def __init__(self, graph: Graph, operators: Sequence[Operator]) -> None:
        self._graph = graph
        self._schema = schema_module()
        self._operators = in_order(graph, operators)
        self._needs, self._gives = graph.needs(operators), graph.gives(operators)
        self._numbers: dict[int, int] = {}
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [self._schema.BufferT()]  # the first one is empty by the rules of the format
        self._buffer_numbers: dict[int, int] = {}

    def model(self) -> Any:
        """A `ModelT`."""
        source, schema = self._graph.model, self._schema
        subgraph = schema.SubGraphT()
        subgraph.inputs = [self._tensor(k) for k in self._needs]
        subgraph.operators = [self._operator(one) for one in self._operators]
        subgraph.outputs = [self._tensor(k) for k in self._gives]
        subgraph.tensors = self._tensors
        model = schema.ModelT()
        model.version, model.operatorCodes = _SCHEMA_VERSION, source.operatorCodes
        model.subgraphs, model.buffers = [subgraph], self._buffers
        return model

    def _operator(self, operator: Operator) -> Any:
        found = copy.copy(self._graph.model.subgraphs[0].operators[operator.index])
        for field in ("inputs", "outputs", "intermediates"):
            numbers = getattr(found, field)
            if numbers is not None:
                setattr(found, field, [k if k < 0 else self._tensor(int(k)) for k in numbers])
        if hasattr(found, "debugMetadataIndex"):
            found.debugMetadataIndex = -1  # metadata stays behind
        return found

    def _tensor(self, number: int) -> int:
        if number not in self._numbers:
            self._numbers[number] = len(self._tensors)
            tensor = copy.copy(self._graph.model.subgraphs[0].tensors[number])
            tensor.buffer = self._buffer(tensor.buffer)
            self._tensors.append(tensor)
        return self._numbers[number]

    def _buffer(self, number: int) -> int:
        data = self._graph.model.buffers[number].data
        if data is None or len(data) == 0:
            return 0
        if number not in self._buffer_numbers:
            self._buffer_numbers[number] = len(self._buffers)
            self._buffers.append(_aligned_buffer(self._schema, np.asarray(data, np.uint8)))
        return self._buffer_numbers[number]


def _aligned_buffer(schema: Any, values: Any) -> Any:
    """A `BufferT` of `(n,) uint8` that starts at a multiple of 16 bytes, as kernels expect of weights."""

    class Aligned(schema.BufferT):  # type: ignore[misc]
        def Pack(self, builder: Any) -> Any:  # noqa: N802
            builder.StartVector(1, len(values), _ALIGNMENT)
            builder.head -= len(values)
            builder.Bytes[builder.head : builder.head + len(values)] = values.tobytes()
            data = builder.EndVector()
            schema.BufferStart(builder)
            schema.BufferAddData(builder, data)
            return schema.BufferEnd(builder)

    buffer = Aligned()
    buffer.data = values
    return buffer


def _unpacking_for(graph: Graph, operators: Iterable[Operator]) -> list[Operator]:
    """Those of `graph.unpacking` on which `operators` rest, directly or through others."""
    wanted = {tensor for one in operators for tensor in one.inputs}
    found = []
    for one in reversed(graph.unpacking):
        if wanted.intersection(one.outputs):
            found.append(one)
            wanted.update(one.inputs)
    return found
