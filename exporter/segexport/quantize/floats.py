"""What of an integer file is computed in float all the same, and what that costs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segexport.tflite.flatbuffer import read_graph

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
    graph = read_graph(path)
    kinds: Counter[str] = Counter()
    total = borders = border_bytes = 0
    for operator in graph.operators:
        kind, tensors = graph.kind(operator), [*graph.inputs(operator), *operator.outputs]
        floats = [index for index in tensors if graph.type(index) == "FLOAT32"]
        if kind not in BORDERS:
            total += 1
            kinds[kind] += bool(floats)
        elif floats:
            borders += 1
            border_bytes += sum(4 * math.prod(graph.shape(index)) for index in floats)
    return FloatOperators(operators=total, kinds=dict(+kinds), borders=borders, border_bytes=border_bytes)
