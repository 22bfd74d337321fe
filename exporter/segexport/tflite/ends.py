"""The two ends of a .tflite as every converter's file has them afterwards.

Needs: one float32 image `(1, H, W, 3)` in, one float32 mask `(1, h, w, 1)` or `(1, 1, h, w)` out.
Does: a mask with the channel in front gets it behind, before the last sigmoid, so that a sigmoid still is the last operator;
    tensors and signature are named `image` and `probability`; a file without a signature, which the quantizer needs, gets one.
Holds after: the same numbers at the same places: with one channel both layouts are the same bytes. A file that has all this
    is not touched.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from segexport.errors import ConversionError
from segexport.tflite.operators import operator_code, operator_kind

IMAGE, PROBABILITY = "image", "probability"
SIGNATURE = "serving_default"
_LAYOUT_ONLY = ("RESHAPE", "TRANSPOSE")


def check_ends(schema: Any, flat: Any, step: str) -> None:
    """Raise ConversionError where `flat`, a model as it lies in its bytes, has other ends than one image and one mask."""
    graph = flat.Subgraphs(0)
    images = [graph.Tensors(graph.Inputs(k)) for k in range(graph.InputsLength())]
    masks = [graph.Tensors(graph.Outputs(k)) for k in range(graph.OutputsLength())]
    shapes = [[_shape(tensor) for tensor in tensors] for tensors in (images, masks)]
    floats = all(tensor.Type() == schema.TensorType.FLOAT32 for tensor in (*images, *masks))
    fits = [len(shapes[0]), len(shapes[1])] == [1, 1] and shapes[0][0][-1:] == (3,) and _one_channel(shapes[1][0])
    if not (floats and fits):
        raise ConversionError(
            f"{step}: made {_told(shapes[0])} in and {_told(shapes[1])} out, expected one float32 image (1, H, W, 3) in and "
            "one mask (1, h, w, 1) out; report this network"
        )


def ends_are_settled(flat: Any) -> bool:
    """Whether `flat` has its layout, its names and its signature already."""
    graph = flat.Subgraphs(0)
    image, mask = graph.Tensors(graph.Inputs(0)), graph.Tensors(graph.Outputs(0))
    if _shape(mask)[3] != 1 or (image.Name(), mask.Name()) != (IMAGE.encode(), PROBABILITY.encode()):
        return False
    if flat.SignatureDefsLength() != 1:
        return False
    signature = flat.SignatureDefs(0)
    ends = (signature.Inputs(0).Name(), signature.Outputs(0).Name(), signature.SignatureKey())
    return ends == (IMAGE.encode(), PROBABILITY.encode(), SIGNATURE.encode())


def settle_ends(schema: Any, model: Any) -> None:
    """Change `model`, in the object form of the schema."""
    graph = model.subgraphs[0]
    (before,) = map(int, graph.outputs)
    graph.tensors[before].name = f"{PROBABILITY}_as_made".encode()  # no name twice: the quantizer goes by names
    _put_channel_last(schema, model, graph)
    (image,), (mask,) = map(int, graph.inputs), map(int, graph.outputs)
    graph.tensors[image].name, graph.tensors[mask].name = IMAGE.encode(), PROBABILITY.encode()
    model.signatureDefs = [_signature(schema, image, mask)]


def _one_channel(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[0] == 1 and 1 in (shape[1], shape[3])


def _put_channel_last(schema: Any, model: Any, graph: Any) -> None:
    (mask,) = map(int, graph.outputs)
    shape = tuple(map(int, graph.tensors[mask].shape))
    if shape[3] == 1:
        return
    wanted = (1, shape[2], shape[3], 1)
    last = _maker(graph, mask)
    if last is not None and operator_kind(schema, model, last) == "LOGISTIC":
        before = int(last.inputs[0])
        last.inputs = [_channel_last(schema, model, graph, before, wanted)]
        graph.operators.remove(last)
        graph.operators.append(last)  # behind what it waits for now
        graph.tensors[mask].shape, graph.tensors[mask].shapeSignature = np.array(wanted, np.int32), None
    else:
        graph.outputs = [_channel_last(schema, model, graph, mask, wanted)]


def _channel_last(schema: Any, model: Any, graph: Any, index: int, wanted: tuple[int, ...]) -> int:
    """A tensor of shape `wanted` with the values of tensor `index`: the one that it was turned from, or a new one."""
    maker = _maker(graph, index)
    if maker is not None and operator_kind(schema, model, maker) in _LAYOUT_ONLY and len(_users(graph, index)) <= 1:
        source = int(maker.inputs[0])
        if tuple(map(int, graph.tensors[source].shape)) == wanted:
            graph.operators.remove(maker)
            return source
    return _reshaped(schema, model, graph, index, wanted)


def _reshaped(schema: Any, model: Any, graph: Any, index: int, wanted: tuple[int, ...]) -> int:
    shape = schema.BufferT()
    shape.data = np.array(wanted, np.int32).view(np.uint8)
    model.buffers.append(shape)
    numbers = _tensor(schema, f"{PROBABILITY}_shape", (4,), schema.TensorType.INT32, len(model.buffers) - 1)
    values = _tensor(schema, f"{PROBABILITY}_channel_last", wanted, schema.TensorType.FLOAT32, 0)
    graph.tensors += [numbers, values]
    operator = schema.OperatorT()
    operator.opcodeIndex = operator_code(schema, model, "RESHAPE", 1)
    operator.inputs, operator.outputs = [index, len(graph.tensors) - 2], [len(graph.tensors) - 1]
    graph.operators.append(operator)
    return len(graph.tensors) - 1


def _tensor(schema: Any, name: str, shape: tuple[int, ...], kind: int, buffer: int) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), np.array(shape, np.int32), kind, buffer
    return tensor


def _maker(graph: Any, index: int) -> Any:
    return next((operator for operator in graph.operators if index in operator.outputs), None)


def _users(graph: Any, index: int) -> list[Any]:
    return [operator for operator in graph.operators if index in operator.inputs]


def _signature(schema: Any, image: int, mask: int) -> Any:
    made = schema.SignatureDefT()
    made.signatureKey, made.subgraphIndex = SIGNATURE.encode(), 0
    made.inputs, made.outputs = [_named(schema, IMAGE, image)], [_named(schema, PROBABILITY, mask)]
    return made


def _named(schema: Any, name: str, index: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), index
    return entry


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(int(tensor.Shape(k)) for k in range(tensor.ShapeLength()))


def _told(shapes: list[tuple[int, ...]]) -> str:
    return " and ".join(map(str, shapes)) or "nothing"
