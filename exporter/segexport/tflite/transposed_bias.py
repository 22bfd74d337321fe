"""The bias behind a transposed convolution into it, where onnx2tf 2 leaves it as a sum of its own: one pass over memory less.

Needs: a TRANSPOSE_CONV without bias and without activation, whose only user is an ADD of a constant, one number for each
    channel.
Does: gives the constant as the fourth input, the sum's activation, and the sum's tensor as the output.
Holds after: the same sums, to rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from segexport.tflite.operators import operator_code, operator_kind

_KIND, _WITH_BIAS, _WITH_ACTIVATION = "TRANSPOSE_CONV", 3, 4  # versions; GPU delegates know 3
_WITHOUT_BIAS = 3


def fuse_biases(schema: Any, model: Any) -> bool:
    """Change `model`, in the object form of the schema; whether there was any."""
    graph, fused = model.subgraphs[0], []
    for convolution in graph.operators:
        if operator_kind(schema, model, convolution) != _KIND or len(convolution.inputs) != _WITHOUT_BIAS:
            continue
        total = _sum_behind(schema, model, graph, convolution)
        if total is not None:
            fused.append(total)
            bias = next(int(k) for k in total.inputs if k != convolution.outputs[0])
            _flatten(graph.tensors[bias])
            convolution.inputs = [*map(int, convolution.inputs), bias]
            convolution.outputs = total.outputs
            activation = total.builtinOptions.fusedActivationFunction
            convolution.builtinOptions.fusedActivationFunction = activation
            version = _WITH_BIAS if activation == schema.ActivationFunctionType.NONE else _WITH_ACTIVATION
            convolution.opcodeIndex = operator_code(schema, model, _KIND, version)
    graph.operators = [operator for operator in graph.operators if not any(operator is one for one in fused)]
    return bool(fused)


def _sum_behind(schema: Any, model: Any, graph: Any, convolution: Any) -> Any:
    (result,) = map(int, convolution.outputs)
    users = [operator for operator in graph.operators if result in operator.inputs]
    if len(users) != 1 or operator_kind(schema, model, users[0]) != "ADD" or result in graph.outputs:
        return None
    if convolution.builtinOptions.fusedActivationFunction != schema.ActivationFunctionType.NONE:
        return None
    others = [int(k) for k in users[0].inputs if k != result]
    channels = int(graph.tensors[result].shape[-1])
    return users[0] if len(others) == 1 and _is_bias(schema, model, graph, others[0], channels) else None


def _is_bias(schema: Any, model: Any, graph: Any, index: int, channels: int) -> bool:
    tensor = graph.tensors[index]
    shape, data = tuple(map(int, tensor.shape)), model.buffers[tensor.buffer].data
    alone = sum(index in operator.inputs for operator in graph.operators) == 1
    per_channel = shape[-1:] == (channels,) and int(np.prod(shape)) == channels
    return alone and per_channel and tensor.type == schema.TensorType.FLOAT32 and data is not None and len(data) > 0


def _flatten(tensor: Any) -> None:
    tensor.shape, tensor.shapeSignature = np.array([int(np.prod(tensor.shape))], np.int32), None
