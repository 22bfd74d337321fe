"""int8 TFLite → the same network with uint8 at its ends, so that a camera's bytes are the tensor as they are.

LiteRT.js refuses int8 tensors, MediaPipe takes only uint8 and float images, and ai-edge-quantizer makes int8 ones only.

Needs: one subgraph, as ai-edge-quantizer writes it: image and output in int8 with one scale each, also where the layers beside
    them are in float.
Does: before the image and behind the output a QUANTIZE between uint8 and int8 of the same scale, whose zero points are 128
    apart. For LiteRT that is the flip of the highest bit, `x ^ 0x80`. Every other operator and tensor keeps its place and name.
Holds after: given `x ^ 0x80` for the int8 file's `x` it gives `y ^ 0x80` for its `y`, bit for bit; both stand for the same real
    numbers. An end of another type is left as it is; a file without int8 ends is copied.
"""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Any

import numpy as np

from segexport.convert.operators import operator_code, plain_operator

SUFFIX = b"_uint8"  # of the new tensors' names


def write_byte_ends(int8: Path, target: Path) -> None:
    """Write `target`, which may be `int8` itself."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(int8))
    (graph,) = model.subgraphs
    images, masks = _as_bytes(schema, graph, graph.inputs), _as_bytes(schema, graph, graph.outputs)
    if not images and not masks:
        target.write_bytes(int8.read_bytes())
        return
    code = operator_code(schema, model, "QUANTIZE", 1)
    before = [plain_operator(schema, code, byte, image) for image, byte in images.items()]
    behind = [plain_operator(schema, code, mask, byte) for mask, byte in masks.items()]
    graph.operators = [*before, *graph.operators, *behind]
    graph.inputs = np.array([images.get(int(k), int(k)) for k in graph.inputs], np.int32)
    graph.outputs = np.array([masks.get(int(k), int(k)) for k in graph.outputs], np.int32)
    _point_signatures_at(model, images, masks)
    flatbuffer_utils.write_model(model, str(target))


def _as_bytes(schema: Any, graph: Any, ends: Any) -> dict[int, int]:
    """For each int8 tensor of `ends` a new uint8 one: index → index."""
    made = {}
    for index in map(int, ends):
        if graph.tensors[index].type == schema.TensorType.INT8:
            graph.tensors.append(_byte_tensor(schema, graph.tensors[index]))
            made[index] = len(graph.tensors) - 1
    return made


def _byte_tensor(schema: Any, tensor: Any) -> Any:
    byte = copy(tensor)
    byte.type, byte.buffer = schema.TensorType.UINT8, 0
    byte.name = bytes(tensor.name) + SUFFIX
    byte.quantization = copy(tensor.quantization)
    byte.quantization.zeroPoint = np.asarray(tensor.quantization.zeroPoint, np.int64) + 128
    return byte


def _point_signatures_at(model: Any, images: dict[int, int], masks: dict[int, int]) -> None:
    for signature in model.signatureDefs or ():
        for named, changed in ((signature.inputs, images), (signature.outputs, masks)):
            for entry in named:
                entry.tensorIndex = changed.get(entry.tensorIndex, entry.tensorIndex)
