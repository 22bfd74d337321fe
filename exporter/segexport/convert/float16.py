"""float32 TFLite → float16: the weights are stored in half precision and widened again before they are used.

This is what TFLiteConverter does with `supported_types = [tf.float16]`, and the form that XNNPACK and GPU delegates know: one
DEQUANTIZE for each constant, before all other operators, for weights and biases alike (ai-edge-quantizer leaves biases in
float32, and XNNPACK then runs a third as fast). Cast out of the finished float32 file it takes a second and no second
conversion, which for 54 million parameters is a minute and 2 GB.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from segexport.convert.operators import operator_code, plain_operator

_LARGEST = float(np.finfo(np.float16).max)


def write_float16(float32: Path, target: Path) -> None:
    """Write `target`; values beyond float16's range (±65504) saturate."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(float32))
    graph = model.subgraphs[0]
    code = operator_code(schema, model, "DEQUANTIZE", 3)  # the version that takes float16
    widened: dict[int, int] = {}
    operators = []
    for operator in graph.operators:
        if model.operatorCodes[operator.opcodeIndex].builtinCode not in _weighted(schema):
            continue
        for place, index in enumerate(operator.inputs):
            if index not in widened:  # one that several operators use is float16 already when the second one comes
                if index < 0 or not _is_float_constant(schema, model, graph.tensors[index]):
                    continue
                widened[index] = _halve(schema, model, graph, index)
                operators.append(plain_operator(schema, code, index, widened[index]))
            operator.inputs[place] = widened[index]
    graph.operators = [*operators, *graph.operators]
    flatbuffer_utils.write_model(model, str(target))


def _weighted(schema: Any) -> frozenset[int]:
    kinds = schema.BuiltinOperator
    return frozenset({kinds.CONV_2D, kinds.DEPTHWISE_CONV_2D, kinds.TRANSPOSE_CONV, kinds.FULLY_CONNECTED})


def _is_float_constant(schema: Any, model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return tensor.type == schema.TensorType.FLOAT32 and data is not None and len(data) > 0


def _halve(schema: Any, model: Any, graph: Any, index: int) -> int:
    """Make tensor `index` float16; gives the index of a new float32 tensor of its shape."""
    tensor = graph.tensors[index]
    values = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.float32)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.clip(values, -_LARGEST, _LARGEST).astype(np.float16).tobytes(), np.uint8)
    model.buffers.append(buffer)
    wide = schema.TensorT()
    wide.shape, wide.type, wide.buffer = tensor.shape, schema.TensorType.FLOAT32, 0
    wide.name = bytes(tensor.name) + b"_float32"
    if not any(other.buffer == tensor.buffer for other in graph.tensors if other is not tensor):
        model.buffers[tensor.buffer].data = None
    tensor.type, tensor.buffer = schema.TensorType.FLOAT16, len(model.buffers) - 1
    graph.tensors.append(wide)
    return len(graph.tensors) - 1
