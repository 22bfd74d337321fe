"""How many pictures calibrate: all of them, but of a large network as many as its work allows.

A range is a mean over pictures, so the twelfth picture moves it by a twelfth of what it differs; each costs a whole float32
run. What counts is the work itself and not the time it takes here, so that a file does not depend on the machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segexport.tflite.graph import WEIGHTED, operator_kinds

MOST_WORK = 600e9
"""Multiplications for all pictures together: 12 runs of a U-Net of 31 million weights at 256x256."""
LEAST_PICTURES = 8


def calibration_places(float32: Path, count: int) -> list[int]:
    """Which of `count` pictures calibrate, evenly spread."""
    most = max(LEAST_PICTURES, int(MOST_WORK / max(1.0, multiplications(float32))))
    if count <= most:
        return list(range(count))
    return [round(k * (count - 1) / (most - 1)) for k in range(most)]


def multiplications(path: Path) -> float:
    """Of all convolutions and products of the main subgraph, for one picture."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    graph, kinds = model.Subgraphs(0), operator_kinds(model)
    operators = [graph.Operators(index) for index in range(graph.OperatorsLength())]
    return sum(_of(graph, one, kinds[one.OpcodeIndex()]) for one in operators if kinds[one.OpcodeIndex()] in WEIGHTED)


def _of(graph: Any, operator: Any, kind: str) -> float:
    """Each number of the weights once for every place: of the output, or of the input of a transposed convolution."""
    if kind == "TRANSPOSE_CONV":
        weights, places = _shape(graph, operator.Inputs(1)), _shape(graph, operator.Inputs(2))[:-1]
    else:
        weights, places = _shape(graph, operator.Inputs(1)), _shape(graph, operator.Outputs(0))[:-1]
    return _product(weights) * _product(places)


def _shape(graph: Any, index: int) -> tuple[int, ...]:
    tensor = graph.Tensors(index)
    return tuple(int(tensor.Shape(axis)) for axis in range(tensor.ShapeLength()))


def _product(shape: tuple[int, ...]) -> float:
    found = 1.0
    for extent in shape:
        found *= extent
    return found
