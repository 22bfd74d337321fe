"""A whole .tflite whose output is its input in another shape, so that a contract says all that a file does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils


def shape_of(spec: dict[str, Any], channels: int) -> list[int]:
    height, width = spec["height"], spec["width"]
    return [1, height, width, channels] if spec["layout"] == "NHWC" else [1, channels, height, width]


def tensor(name: bytes, spec: dict[str, Any], channels: int) -> Any:
    made = schema.TensorT()
    made.name, made.shape, made.buffer = name, shape_of(spec, channels), 0
    made.type = getattr(schema.TensorType, spec["dtype"].upper())
    if "scale" in spec:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale = np.array([spec["scale"]], np.float32)
        made.quantization.zeroPoint = np.array([spec["zero_point"]], np.int64)
    return made


def operator(model: Any, kind: str, options: Any, ends: tuple[int, int]) -> Any:
    """From one tensor to another; its code is added to the model's."""
    code, made = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
    code.version = 1
    model.operatorCodes.append(code)
    made.opcodeIndex, made.inputs, made.outputs = len(model.operatorCodes) - 1, [ends[0]], [ends[1]]
    if options is not None:
        made.builtinOptions, made.builtinOptionsType = options, schema.BuiltinOptions.ReshapeOptions
    return made


def write_reshaped(contract: dict[str, Any], path: Path, *, logarithm: bool = False) -> Path:
    """The file that `contract` describes: one RESHAPE, so that both ends hold as many values, of one dtype.

    `logarithm`: of each value before, so that 0 becomes -infinity and what is below NaN.
    """
    model, graph, options = schema.ModelT(), schema.SubGraphT(), schema.ReshapeOptionsT()
    model.version, model.buffers, model.subgraphs, model.operatorCodes = 3, [schema.BufferT()], [graph], []
    output = contract["output"]
    channels = 1 if output["meaning"] == "classes" else output["channels"]
    graph.tensors = [tensor(b"in", contract["input"], 3), tensor(b"out", output, channels)]
    graph.inputs, graph.outputs, graph.operators = [0], [1], []
    options.newShape = shape_of(output, channels)
    if logarithm:
        graph.tensors.append(tensor(b"logarithm", contract["input"], 3))
        graph.operators.append(operator(model, "LOG", None, (0, 2)))
    graph.operators.append(operator(model, "RESHAPE", options, (2 if logarithm else 0, 1)))
    flatbuffer_utils.write_model(model, str(path))
    return path


def write_free_axes(source: Path, path: Path, *, stored: int) -> Path:
    """The network of `source` as one that takes any picture: its axes are -1, and stored with `stored` pixels a side."""
    model = flatbuffer_utils.read_model(str(source))
    for made in model.subgraphs[0].tensors:
        data = model.buffers[made.buffer].data
        if len(made.shape) == 4 and (data is None or len(data) == 0):
            made.shapeSignature = [-1, -1, -1, int(made.shape[3])]
            made.shape = [1, stored, stored, int(made.shape[3])]
    flatbuffer_utils.write_model(model, str(path))
    return path
