"""A finished file with one channel → the same file with two: background and person.

MediaPipe calls category 0 of a file with one channel the person; with two it counts as everybody does, 0 the background.

Needs: one output, the person's probability `(1, h, w, 1)` in TFLite or `(1, 1, h, w)` in ONNX, of any
    type that segexport writes.
Does: behind it `background = 1 - person`, and both side by side; every other operator, tensor and name stays.
Holds after: channel 1 is bit for bit what was there; channel 0 is `1 - person`, rounded to the output's own step and held to
    its range. The last step of a quantized file is below 1, so where the person is 0 the background reads 255/256.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segexport.tflite.flatbuffer import Graph, new, read_graph

LABELS = ("background", "person")
_PERSON = "person"
_VERSIONS = {"INT8": (2, 2), "INT16": (5, 3)}
"""Of SUB and CONCATENATION, by the mask's type; others have the first."""


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
    graph = read_graph(path)
    (person,) = graph.main.outputs
    kind, shape = graph.type(person), graph.shape(person)
    sub, concatenation = _VERSIONS.get(kind, (1, 1))
    one, background = _one(graph, person), graph.add_like(person, "background", shape)
    both = graph.add_like(person, "both", [*shape[:3], len(LABELS)])
    difference = new("SubOptions", potScaleInt16=False)  # its scales need not be powers of two
    side_by_side = new("ConcatenationOptions", axis=3)
    graph.main.operators += [
        graph.operator("SUB", [one, person], background, version=sub, options=difference),
        graph.operator("CONCATENATION", [background, person], both, version=concatenation, options=side_by_side),
    ]
    graph.main.outputs = [both]
    for signature in graph.model.signatureDefs or ():
        for entry in signature.outputs:
            entry.tensorIndex = both
    graph.write(path)


def _one(graph: Graph, like: int) -> int:
    """The number 1 in the type of `like`; quantized so that it is exact."""
    dtype = np.dtype(graph.type(like).lower())
    index, largest = graph.add_like(like, "one", [1, 1, 1, 1]), 1
    if dtype.kind in "iu":
        largest = int(np.iinfo(dtype).max)
        scale, zero_point = np.array([1 / largest], np.float32), np.array([0], np.int64)
        graph.tensor(index).quantization = new("QuantizationParameters", scale=scale, zeroPoint=zero_point)
    graph.tensor(index).buffer = graph.add_buffer(np.array([largest], dtype))
    return index
