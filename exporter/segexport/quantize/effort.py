"""How many pictures calibrate: all of them, but of a large network as many as its work allows.

A range is a mean over pictures, so the twelfth picture moves it by a twelfth of what it differs; each costs a whole float32
run. What counts is the work itself and not the time it takes here, so that a file does not depend on the machine.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from segexport.tflite.flatbuffer import Graph, read_graph
from segexport.tflite.graph import WEIGHTED

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
    graph = read_graph(path)
    return float(sum(_of(graph, one) for one in graph.operators if graph.kind(one) in WEIGHTED))


def _of(graph: Graph, operator: Any) -> int:
    """Each number of the weights once for every place: of the output, or of the input of a transposed convolution."""
    places = operator.inputs[2] if graph.kind(operator) == "TRANSPOSE_CONV" else operator.outputs[0]
    return math.prod(graph.shape(operator.inputs[1])) * math.prod(graph.shape(places)[:-1])
