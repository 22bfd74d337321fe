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

from segexport.tflite.operators import operator_code, operator_kind

_KIND = "BATCH_MATMUL"
_VERSION = 6  # takes inputs of any rank, and no bias


def connect_products(schema: Any, model: Any) -> bool:
    """Change `model`, in the object form of the schema; whether there was any."""
    graph, gone = model.subgraphs[0], []
    found = False
    for product in graph.operators:
        if operator_kind(schema, model, product) != _KIND:
            continue
        matrix = _matrix(schema, model, graph, product)
        if matrix is None:
            continue
        total = _sum_behind(schema, model, graph, product, len(matrix))
        _connect(schema, model, graph, product, matrix, total)
        gone += [] if total is None else [total]
        found = True
    graph.operators = [operator for operator in graph.operators if not any(operator is one for one in gone)]
    return found


def _matrix(schema: Any, model: Any, graph: Any, product: Any) -> npt.NDArray[np.float32] | None:
    """The constant as `(N, K) float32`; None where the second input is none."""
    tensor, options = graph.tensors[int(product.inputs[1])], product.builtinOptions
    values, shape = _constant(schema, model, tensor), tuple(map(int, tensor.shape))
    if values is None or len(shape) < 2 or any(extent != 1 for extent in shape[:-2]) or options.adjX:
        return None
    matrix = values.reshape(shape[-2:])
    return np.ascontiguousarray(matrix if options.adjY else matrix.T)


def _constant(schema: Any, model: Any, tensor: Any) -> npt.NDArray[np.float32] | None:
    data = model.buffers[tensor.buffer].data
    if tensor.type != schema.TensorType.FLOAT32 or data is None or not len(data):
        return None
    return np.asarray(data, np.uint8).view(np.float32)


def _sum_behind(schema: Any, model: Any, graph: Any, product: Any, count: int) -> Any:
    """The one ADD of a constant of `count` numbers that uses the product."""
    (result,) = map(int, product.outputs)
    users = [operator for operator in graph.operators if result in operator.inputs]
    if len(users) != 1 or operator_kind(schema, model, users[0]) != "ADD" or result in graph.outputs:
        return None
    others = [int(k) for k in users[0].inputs if k != result]
    if len(others) != 1:
        return None
    values, shape = _constant(schema, model, graph.tensors[others[0]]), tuple(graph.tensors[others[0]].shape)
    return users[0] if values is not None and values.size == count == (shape or (0,))[-1] else None


def _connect(schema: Any, model: Any, graph: Any, product: Any, matrix: npt.NDArray[np.float32], total: Any) -> None:
    options = schema.FullyConnectedOptionsT()
    options.keepNumDims = True
    name = bytes(graph.tensors[int(product.outputs[0])].name)
    weights, bias = _added(schema, model, graph, matrix, name + b"_weights"), -1
    _leave(model, graph, product, int(product.inputs[1]))
    if total is not None:
        addend = next(int(k) for k in total.inputs if k != product.outputs[0])
        values = _constant(schema, model, graph.tensors[addend])
        bias = _added(schema, model, graph, np.asarray(values, np.float32), name + b"_bias")
        options.fusedActivationFunction = total.builtinOptions.fusedActivationFunction
        product.outputs = total.outputs
    product.inputs = [int(product.inputs[0]), weights, bias]
    product.opcodeIndex = operator_code(schema, model, "FULLY_CONNECTED", _VERSION)
    product.builtinOptions, product.builtinOptionsType = options, schema.BuiltinOptions.FullyConnectedOptions


def _leave(model: Any, graph: Any, operator: Any, index: int) -> None:
    """Empty a constant that nobody but `operator` reads, so that the file does not hold it twice."""
    tensor = graph.tensors[index]
    readers = [k for one in graph.operators if one is not operator for k in one.inputs if k >= 0]
    if tensor.buffer not in {graph.tensors[k].buffer for k in readers}:
        tensor.buffer, model.buffers[tensor.buffer].data = 0, None


def _added(schema: Any, model: Any, graph: Any, values: npt.NDArray[np.float32], name: bytes) -> int:
    buffer, tensor = schema.BufferT(), schema.TensorT()
    buffer.data = values.reshape(-1).view(np.uint8)
    model.buffers.append(buffer)
    tensor.name, tensor.shape = name, np.array(values.shape, np.int32)
    tensor.type, tensor.buffer = schema.TensorType.FLOAT32, len(model.buffers) - 1
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1
