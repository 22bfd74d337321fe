"""A finished file with one channel → the same file with two: background and person.

MediaPipe calls category 0 of a file with one channel the person; with two it counts as everybody does, 0 the background.

Needs: one output, the person's probability `(1, h, w, 1)` in TFLite or `(1, 1, h, w)` in ONNX, of any
    type that segexport writes.
Does: behind it `background = 1 - person`, and both side by side; every other operator, tensor and name stays.
Holds after: channel 1 is bit for bit what was there; channel 0 is `1 - person`, rounded to the output's own step and held to
    its range. The last step of a quantized file is below 1, so where the person is 0 the background reads 255/256.
"""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Any

import numpy as np

from segexport.tflite.operators import operator_code

LABELS = ("background", "person")
_PERSON = "person"
_DTYPES: dict[str, type[np.integer[Any]]] = {"UINT8": np.uint8, "INT8": np.int8, "INT16": np.int16}


def write_two_channels(path: Path) -> None:
    """Change the file in place, before anything of it is described or compared."""
    (_onnx if path.suffix == ".onnx" else _tflite)(path)


def _onnx(path: Path) -> None:
    import onnx

    model = onnx.load(path)
    (output,) = model.graph.output
    person, background, one = (f"{output.name}_{word}" for word in (_PERSON, "background", "one"))
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [person if name == output.name else name for name in names]
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(1, np.float32), one))
    model.graph.node.append(onnx.helper.make_node("Sub", [one, person], [background], name=background))
    model.graph.node.append(onnx.helper.make_node("Concat", [background, person], [output.name], name="both", axis=1))
    output.type.tensor_type.shape.dim[1].dim_value = len(LABELS)
    kept = [value for value in model.graph.value_info if value.name != output.name]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)
    onnx.save(model, path)


def _tflite(path: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(path))
    (graph,) = model.subgraphs
    (last,) = map(int, graph.outputs)
    person = graph.tensors[last]
    one = _added(graph, _one(schema, model, person))
    background = _added(graph, _like(person, b"background", person.shape))
    both = _added(graph, _like(person, b"both", [*map(int, person.shape[:3]), len(LABELS)]))
    graph.operators.append(_subtract(schema, model, person, [one, last], background))
    graph.operators.append(_side_by_side(schema, model, person, [background, last], both))
    graph.outputs = np.array([both], np.int32)
    for signature in model.signatureDefs or ():
        for entry in signature.outputs:
            entry.tensorIndex = both
    flatbuffer_utils.write_model(model, str(path))


def _added(graph: Any, tensor: Any) -> int:
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _like(tensor: Any, word: bytes, shape: Any) -> Any:
    """An empty tensor of the same type and quantization."""
    made = copy(tensor)
    made.name, made.buffer = bytes(tensor.name) + b"_" + word, 0
    made.shape, made.shapeSignature = np.array(shape, np.int32), None
    return made


def _one(schema: Any, model: Any, like: Any) -> Any:
    """The number 1 in the type of `like`; quantized so that it is exact."""
    made, buffer = _like(like, b"one", [1, 1, 1, 1]), schema.BufferT()
    kind = _type_name(schema, like)
    largest = int(np.iinfo(_DTYPES[kind]).max) if kind in _DTYPES else 1
    if kind in _DTYPES:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale = np.array([1 / largest], np.float32)
        made.quantization.zeroPoint = np.array([0], np.int64)
    buffer.data = np.array([largest], _DTYPES.get(kind, np.float32)).view(np.uint8)
    model.buffers.append(buffer)
    made.buffer = len(model.buffers) - 1
    return made


def _subtract(schema: Any, model: Any, like: Any, inputs: list[int], output: int) -> Any:
    options = schema.SubOptionsT()
    options.potScaleInt16 = False  # its scales need not be powers of two
    version = {"INT8": 2, "INT16": 5}.get(_type_name(schema, like), 1)
    return _operator(schema, model, "SUB", version, options, inputs, output)


def _side_by_side(schema: Any, model: Any, like: Any, inputs: list[int], output: int) -> Any:
    options = schema.ConcatenationOptionsT()
    options.axis = 3
    version = {"INT8": 2, "INT16": 3}.get(_type_name(schema, like), 1)
    return _operator(schema, model, "CONCATENATION", version, options, inputs, output)


def _type_name(schema: Any, tensor: Any) -> str:
    return next(str(name) for name, number in vars(schema.TensorType).items() if number == tensor.type)


def _operator(schema: Any, model: Any, kind: str, version: int, options: Any, inputs: list[int], output: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex = operator_code(schema, model, kind, version)
    operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
    operator.builtinOptions = options
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
    return operator
