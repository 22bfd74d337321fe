"""What every converter's file becomes before anybody looks at it: biases, products and layouts by rewrites of their own, and
the two ends.

Needs: one float32 image `(1, H, W, 3)` in, one float32 mask `(1, h, w, 1)` or `(1, 1, h, w)` out.
Does: a mask with the channel in front gets it behind, before the last sigmoid, so that a sigmoid still is the last operator;
    tensors and signature are named `image` and `probability`; a file without a signature, which the quantizer needs, gets one.
Holds after: the same numbers at the same places: with one channel both layouts are the same bytes. A file that has all this
    is not touched.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segexport.errors import ConversionError
from segexport.tflite.channels_last import put_channels_last
from segexport.tflite.constant_matmul import connect_products
from segexport.tflite.flatbuffer import Graph, new, parse_graph
from segexport.tflite.transposed_bias import fuse_biases

IMAGE, PROBABILITY = "image", "probability"
SIGNATURE = "serving_default"
_LAYOUT_ONLY = ("RESHAPE", "TRANSPOSE")


def settle(path: Path, step: str) -> None:
    """Ends, biases, products and layouts as the files next to this one have them; what is so already is not touched.

    Raises:
        ConversionError: no TFLite file, or other tensors at its ends than one image and one mask of one channel.
    """
    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise ConversionError(f"{step}: made a file that starts with {data[:8]!r}, expected a TFLite flatbuffer")
    graph = parse_graph(data)
    _check_ends(graph, step)
    changed = [rewrite(graph) for rewrite in (fuse_biases, connect_products, _settle_ends, put_channels_last)]
    if any(changed):
        graph.write(path)


def _check_ends(graph: Graph, step: str) -> None:
    """Raise ConversionError where the graph has other ends than one image and one mask."""
    images, masks = ([int(k) for k in ends] for ends in (graph.main.inputs, graph.main.outputs))
    shapes = [[graph.shape(k) for k in ends] for ends in (images, masks)]
    floats = all(graph.type(k) == "FLOAT32" for k in (*images, *masks))
    fits = [len(images), len(masks)] == [1, 1] and shapes[0][0][-1:] == (3,) and _one_channel(shapes[1][0])
    if not (floats and fits):
        raise ConversionError(
            f"{step}: made {_told(shapes[0])} in and {_told(shapes[1])} out, expected one float32 image (1, H, W, 3) in and "
            "one mask (1, h, w, 1) out; report this network"
        )


def _settle_ends(graph: Graph) -> bool:
    """Change the graph; False where it has its layout, its names and its signature already."""
    if _are_settled(graph):
        return False
    (before,) = graph.main.outputs
    graph.tensor(before).name = f"{PROBABILITY}_as_made"  # no name twice: the quantizer goes by names
    _put_channel_last(graph)
    (image,), (mask,) = graph.main.inputs, graph.main.outputs
    graph.tensor(image).name, graph.tensor(mask).name = IMAGE, PROBABILITY
    ends = [[new("TensorMap", name=name, tensorIndex=k)] for name, k in ((IMAGE, image), (PROBABILITY, mask))]
    signature = new("SignatureDef", signatureKey=SIGNATURE, subgraphIndex=0, inputs=ends[0], outputs=ends[1])
    graph.model.signatureDefs = [signature]
    return True


def _are_settled(graph: Graph) -> bool:
    (image,), (mask,) = graph.main.inputs, graph.main.outputs
    signatures = graph.model.signatureDefs or []
    if graph.shape(mask)[3] != 1 or len(signatures) != 1:
        return False
    key, ends = signatures[0].signatureKey, (signatures[0].inputs[0].name, signatures[0].outputs[0].name)
    named = {ends, (graph.tensor(image).name, graph.tensor(mask).name)}
    return key == SIGNATURE.encode() and named == {(IMAGE.encode(), PROBABILITY.encode())}


def _one_channel(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[0] == 1 and 1 in (shape[1], shape[3])


def _put_channel_last(graph: Graph) -> None:
    (mask,) = graph.main.outputs
    shape = graph.shape(mask)
    if shape[3] == 1:
        return
    wanted = (1, shape[2], shape[3], 1)
    last = graph.maker(mask)
    if last is not None and graph.kind(last) == "LOGISTIC":
        last.inputs = [_channel_last(graph, int(last.inputs[0]), wanted)]
        graph.main.operators.remove(last)
        graph.main.operators.append(last)  # behind what it waits for now
        graph.tensor(mask).shape, graph.tensor(mask).shapeSignature = list(wanted), None
    else:
        graph.main.outputs = [_channel_last(graph, mask, wanted)]


def _channel_last(graph: Graph, index: int, wanted: tuple[int, ...]) -> int:
    """A tensor of shape `wanted` with the values of tensor `index`: the one that it was turned from, or a new one."""
    maker = graph.maker(index)
    if maker is not None and graph.kind(maker) in _LAYOUT_ONLY and len(graph.readers(index)) <= 1:
        source = int(maker.inputs[0])
        if graph.shape(source) == wanted:
            graph.main.operators.remove(maker)
            return source
    numbers = graph.add_constant(f"{PROBABILITY}_shape", np.array(wanted, np.int32))
    values = graph.add_tensor(f"{PROBABILITY}_channel_last", wanted)
    graph.main.operators.append(graph.operator("RESHAPE", [index, numbers], values))
    return values


def _told(shapes: list[tuple[int, ...]]) -> str:
    return " and ".join(map(str, shapes)) or "nothing"
