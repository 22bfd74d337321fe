"""A product with a constant matrix as FULLY_CONNECTED, the operator that has weights.

litert-quantizer gives the constant of a BATCH_MATMUL a scale for each column, and LiteRT's integer kernel knows one for all:
every such layer of a transformer becomes zero, without a word. FULLY_CONNECTED has a scale for each row, and a bias.

Needs: a BATCH_MATMUL whose second input is a constant float32 matrix `(K, N)`, or `(1, …, K, N)`, or transposed by its option.
Does: FULLY_CONNECTED with the matrix as `(N, K)`, and the constant `(N,)` of a sum straight behind as its bias.
Holds after: the same sums, to rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from segexport.tflite.flatbuffer import Graph, new, set_options
from segexport.tflite.transposed_bias import sum_behind

_KIND = "BATCH_MATMUL"
_VERSION = 6  # takes inputs of any rank, and no bias


def connect_products(graph: Graph) -> bool:
    """Change the graph; whether there was any."""
    sums: list[Any] = []
    left: list[int] = []
    for product in graph.operators:
        matrix = _matrix(graph, product) if graph.kind(product) == _KIND else None
        if matrix is None:
            continue
        left.append(int(product.inputs[1]))
        total, addend = _sum_of(graph, product, len(matrix))
        if total is not None:
            sums.append(total)
            left.append(addend)
        _connect(graph, product, matrix, total, addend)
    graph.main.operators = [operator for operator in graph.operators if operator not in sums]
    _empty(graph, left)
    return bool(left)


def _matrix(graph: Graph, product: Any) -> npt.NDArray[np.float32] | None:
    """The constant as `(N, K) float32`; None where the second input is none."""
    index, options = int(product.inputs[1]), product.builtinOptions
    values, shape = _floats(graph, index), graph.shape(index)
    if values is None or len(shape) < 2 or any(extent != 1 for extent in shape[:-2]) or options.adjX:
        return None
    matrix = values.reshape(shape[-2:])
    return np.ascontiguousarray(matrix if options.adjY else matrix.T)


def _floats(graph: Graph, index: int) -> npt.NDArray[np.float32] | None:
    return graph.constant(index) if graph.type(index) == "FLOAT32" else None


def _sum_of(graph: Graph, product: Any, count: int) -> tuple[Any, int]:
    """The sum behind of one number for each of `count` outputs, and the constant with them; (None, -1) without one."""
    total, addend = sum_behind(graph, product) or (None, -1)
    values = None if total is None else _floats(graph, addend)
    fits = values is not None and values.size == count == (graph.shape(addend) or (0,))[-1]
    return (total, addend) if fits else (None, -1)


def _connect(graph: Graph, product: Any, matrix: npt.NDArray[np.float32], total: Any, addend: int) -> None:
    options = new("FullyConnectedOptions", keepNumDims=True)
    name = graph.name(product.outputs[0])
    weights, bias = graph.add_constant(f"{name}_weights", matrix), -1
    if total is not None:
        bias = graph.add_constant(f"{name}_bias", np.asarray(graph.constant(addend)))
        options.fusedActivationFunction = total.builtinOptions.fusedActivationFunction
        product.outputs = total.outputs
    product.inputs = [int(product.inputs[0]), weights, bias]
    product.opcodeIndex = graph.code("FULLY_CONNECTED", _VERSION)
    set_options(product, options)


def _empty(graph: Graph, constants: list[int]) -> None:
    """Those that no operator reads any more, so that the file does not hold them twice."""
    read = {graph.tensor(index).buffer for operator in graph.operators for index in graph.inputs(operator)}
    for tensor in (graph.tensor(index) for index in constants):
        if tensor.buffer not in read:
            graph.model.buffers[tensor.buffer].data, tensor.buffer = None, 0
