"""The bias behind a transposed convolution into it, where onnx2tf 2 leaves it as a sum of its own: one pass over memory less.

Needs: a TRANSPOSE_CONV without bias and without activation, whose only user is an ADD of a constant, one number for each
    channel.
Does: gives the constant as the fourth input, the sum's activation, and the sum's tensor as the output.
Holds after: the same sums, to rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from segexport.tflite.flatbuffer import Graph

_KIND, _WITH_BIAS, _WITH_ACTIVATION = "TRANSPOSE_CONV", 3, 4  # versions; GPU delegates know 3
_WITHOUT_BIAS = 3


def fuse_biases(graph: Graph) -> bool:
    """Change the graph; whether there was any."""
    fused = []
    for convolution in graph.operators:
        if graph.kind(convolution) != _KIND or len(convolution.inputs) != _WITHOUT_BIAS:
            continue
        found = None if convolution.builtinOptions.fusedActivationFunction else sum_behind(graph, convolution)
        if found is None or not _is_bias(graph, found[1], graph.shape(convolution.outputs[0])[-1]):
            continue
        total, bias = found
        fused.append(total)
        graph.tensor(bias).shape, graph.tensor(bias).shapeSignature = [int(np.prod(graph.shape(bias)))], None
        convolution.inputs, convolution.outputs = [*convolution.inputs, bias], total.outputs
        activation = convolution.builtinOptions.fusedActivationFunction = total.builtinOptions.fusedActivationFunction
        convolution.opcodeIndex = graph.code(_KIND, _WITH_ACTIVATION if activation else _WITH_BIAS)
    graph.main.operators = [operator for operator in graph.operators if operator not in fused]
    return bool(fused)


def sum_behind(graph: Graph, operator: Any) -> tuple[Any, int] | None:
    """The ADD of a constant that alone reads what `operator` gives, and the constant."""
    (result,) = operator.outputs
    readers = graph.readers(result)
    if len(readers) != 1 or graph.kind(readers[0]) != "ADD" or result in graph.main.outputs:
        return None
    others = [index for index in graph.inputs(readers[0]) if index != result]
    return (readers[0], others[0]) if len(others) == 1 and graph.constant(others[0]) is not None else None


def _is_bias(graph: Graph, index: int, channels: int) -> bool:
    shape = graph.shape(index)
    per_channel = shape[-1:] == (channels,) and int(np.prod(shape)) == channels
    return per_channel and graph.type(index) == "FLOAT32" and len(graph.readers(index)) == 1
