"""Our int8 .tflite → one that MediaPipe's ImageSegmenter takes: float32 ends, and the metadata that it asks for.

The schemas are those that the mediapipe package brings; its own metadata writer does not import in 1.2.3.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any

import flatbuffers
import numpy as np
from mediapipe.tasks.metadata import image_segmenter_metadata_schema_py_generated as segmenter_schema
from mediapipe.tasks.metadata import metadata_schema_py_generated as metadata_schema
from mediapipe.tasks.metadata import schema_py_generated as schema

_METADATA_NAME = b"TFLITE_METADATA"  # where TFLite's metadata stands in the file
_OPTIONS_NAME = "SEGMENTER_METADATA"  # kMetadataName in image_segmenter_graph.cc
_BYTE = 255.0


def for_mediapipe(data: bytes) -> tuple[bytes, tuple[int, int]]:
    """The file, which has one input and one output, and its input's `(height, width)`; a zip behind it is left out."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(_flatbuffer(data), 0))
    graph = model.subgraphs[0]
    _, height, width, _ = graph.tensors[graph.inputs[0]].shape
    _float_ends(model)
    _describe(model)
    return _packed(model, b"TFL3"), (int(height), int(width))


def _flatbuffer(data: bytes) -> bytes:
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return data[: min(info.header_offset for info in archive.infolist())]


def _float_ends(model: Any) -> None:
    """Where the ends are int8, operators before and behind make them float32; the network between stays as it is."""
    graph = model.subgraphs[0]
    (first,), (last,) = graph.inputs, graph.outputs
    if graph.tensors[first].type != schema.TensorType.FLOAT32:
        graph.inputs = [_float_twin(graph, first)]
        graph.operators.insert(0, _operator(model, schema.BuiltinOperator.QUANTIZE, graph.inputs[0], first))
    if graph.tensors[last].type != schema.TensorType.FLOAT32:
        graph.outputs = [_float_twin(graph, last)]
        graph.operators.append(_operator(model, schema.BuiltinOperator.DEQUANTIZE, last, graph.outputs[0]))
    for signature in model.signatureDefs or []:
        for ends, tensor in ((signature.inputs, graph.inputs[0]), (signature.outputs, graph.outputs[0])):
            for end in ends:
                end.tensorIndex = tensor


def _float_twin(graph: Any, index: int) -> int:
    twin, like = schema.TensorT(), graph.tensors[index]
    twin.name, twin.shape, twin.shapeSignature = like.name + b"_float", like.shape, like.shapeSignature
    twin.type, twin.buffer = schema.TensorType.FLOAT32, 0
    graph.tensors.append(twin)
    return len(graph.tensors) - 1


def _operator(model: Any, builtin: int, source: int, target: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = _code(model, builtin), [source], [target]
    return operator


def _code(model: Any, builtin: int) -> int:
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, builtin, 2
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _describe(model: Any) -> None:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(_packed(_metadata(), b"M001"), np.uint8)
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = _METADATA_NAME, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]


def _metadata() -> Any:
    """RGB bytes over 255 in, a probability out that needs no activation."""
    image, scaling = metadata_schema.TensorMetadataT(), metadata_schema.ProcessUnitT()
    image.name, image.content = "image", _content(metadata_schema.ColorSpaceType.RGB)
    options = metadata_schema.NormalizationOptionsT()
    options.mean, options.std = [0.0], [_BYTE]
    scaling.optionsType, scaling.options = metadata_schema.ProcessUnitOptions.NormalizationOptions, options
    image.processUnits = [scaling]
    mask = metadata_schema.TensorMetadataT()
    mask.name, mask.content = "probability", _content(metadata_schema.ColorSpaceType.GRAYSCALE)
    graph, model = metadata_schema.SubGraphMetadataT(), metadata_schema.ModelMetadataT()
    graph.inputTensorMetadata, graph.outputTensorMetadata = [image], [mask]
    graph.customMetadata = [_no_activation()]
    model.subgraphMetadata, model.minParserVersion = [graph], "1.0.0"
    return model


def _content(colors: int) -> Any:
    content, properties = metadata_schema.ContentT(), metadata_schema.ImagePropertiesT()
    properties.colorSpace = colors
    content.contentPropertiesType = metadata_schema.ContentProperties.ImageProperties
    content.contentProperties = properties
    return content


def _no_activation() -> Any:
    options, entry = segmenter_schema.ImageSegmenterOptionsT(), metadata_schema.CustomMetadataT()
    options.activation = segmenter_schema.Activation.NONE
    entry.name, entry.data = _OPTIONS_NAME, _packed(options, b"V001")
    return entry


def _packed(table: Any, identifier: bytes) -> bytes:
    builder = flatbuffers.Builder(0)
    builder.Finish(table.Pack(builder), identifier)
    return bytes(builder.Output())
