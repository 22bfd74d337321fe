"""What of an integer file is computed in float all the same, and what that costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segexport.tflite.graph import operator_kinds

BORDERS = frozenset({"QUANTIZE", "DEQUANTIZE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatOperators:
    """Of the file's `operators` those that compute in float, by kind, and the conversions between float and integers.

    `border_bytes`: float numbers that pass a conversion for each picture, in bytes.
    """

    operators: int
    kinds: Mapping[str, int]
    borders: int
    border_bytes: int

    @property
    def count(self) -> int:
        return sum(self.kinds.values())

    def __str__(self) -> str:
        if not self.count:
            return f"all {self.operators} operators in integers"
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kinds.items(), key=lambda one: -one[1]))
        return (
            f"{self.count} of {self.operators} operators in float ({kinds}); "
            f"{self.borders} conversions, {self.border_bytes / 1e6:.2f} MB for each picture"
        )

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "kinds": dict(self.kinds), "count": self.count, "text": str(self)}


def read_float_operators(path: Path) -> FloatOperators:
    """Of a finished int8 or int16x8 file."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    graph, codes, number = model.Subgraphs(0), operator_kinds(model), schema.TensorType.FLOAT32
    kinds: Counter[str] = Counter()
    total = borders = border_bytes = 0
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        kind = codes[operator.OpcodeIndex()]
        tensors = [graph.Tensors(operator.Inputs(k)) for k in range(operator.InputsLength()) if operator.Inputs(k) >= 0]
        tensors += [graph.Tensors(operator.Outputs(k)) for k in range(operator.OutputsLength())]
        floats = [tensor for tensor in tensors if tensor.Type() == number]
        if kind not in BORDERS:
            total += 1
            kinds[kind] += bool(floats)
        elif floats:
            borders += 1
            border_bytes += sum(4 * _size(tensor) for tensor in floats)
    return FloatOperators(operators=total, kinds=dict(+kinds), borders=borders, border_bytes=border_bytes)


def _size(tensor: Any) -> int:
    size = 1
    for axis in range(tensor.ShapeLength()):
        size *= int(tensor.Shape(axis))
    return size
