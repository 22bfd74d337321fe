"""DEPTH_TO_SPACE as a reshape, a transposition and a reshape, which move integers as they are.

Needs: DEPTH_TO_SPACE of a float tensor `(1, h, w, r·r·c)`.
Does: `(h, w, r, r, c)` → `(h, r, w, r, c)` → `(1, h·r, w·r, c)`.
Holds after: the same numbers at the same places, bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from segexport.tflite.flatbuffer import Graph

KIND = "DEPTH_TO_SPACE"


def rewrite(graph: Graph, operator: Any) -> list[Any] | None:
    """The operators in its place, or None where it is not what is needed."""
    source, target = int(operator.inputs[0]), int(operator.outputs[0])
    block = int(operator.builtinOptions.blockSize)
    batch, height, width, _ = graph.shape(source)
    channels = graph.shape(target)[3]
    if batch != 1:
        return None
    name = graph.name(target)
    apart, turned = (height, width, block, block, channels), (height, block, width, block, channels)
    parts = graph.add_tensor(f"{name}/apart", apart)
    blocks = graph.add_tensor(f"{name}/turned", turned)
    order = graph.add_constant(f"{name}/order", np.array((0, 2, 1, 3, 4), np.int32))
    shapes = [
        graph.add_constant(f"{name}/{what}_shape", np.array(shape, np.int32))
        for what, shape in (("apart", apart), ("whole", graph.shape(target)))
    ]
    return [
        graph.operator("RESHAPE", [source, shapes[0]], parts),
        graph.operator("TRANSPOSE", [parts, order], blocks),
        graph.operator("RESHAPE", [blocks, shapes[1]], target),
    ]
