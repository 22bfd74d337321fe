"""What every converter's file becomes before anybody looks at it."""

from __future__ import annotations

from pathlib import Path

from segexport.errors import ConversionError
from segexport.tflite.channels_last import put_channels_last
from segexport.tflite.constant_matmul import connect_products
from segexport.tflite.ends import check_ends, settle_ends
from segexport.tflite.flatbuffer import parse_graph
from segexport.tflite.transposed_bias import fuse_biases


def settle(path: Path, step: str) -> None:
    """Ends, biases, products and layouts as the files next to this one have them; what is so already is not touched.

    Raises:
        ConversionError: no TFLite file, or other tensors at its ends than one image and one mask of one channel.
    """
    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise ConversionError(f"{step}: made a file that starts with {data[:8]!r}, expected a TFLite flatbuffer")
    graph = parse_graph(data)
    check_ends(graph, step)
    changed = [rewrite(graph) for rewrite in (fuse_biases, connect_products, settle_ends, put_channels_last)]
    if any(changed):
        graph.write(path)
