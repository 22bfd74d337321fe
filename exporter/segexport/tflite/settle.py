"""What every converter's file becomes before anybody looks at it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segexport.errors import ConversionError
from segexport.tflite.channels_last import put_channels_last
from segexport.tflite.constant_matmul import connect_products
from segexport.tflite.ends import check_ends, ends_are_settled, settle_ends
from segexport.tflite.graph import operator_kinds
from segexport.tflite.transposed_bias import fuse_biases

_CHANGED = {"TRANSPOSE_CONV", "BATCH_MATMUL", "TRANSPOSE"}
"""Operators for which it is worth taking a file apart; one that needs nothing is still left as it is."""


def settle(path: Path, step: str) -> None:
    """Ends, biases, products and layouts as the files next to this one have them; what is so already is not touched.

    Raises:
        ConversionError: no TFLite file, or other tensors at its ends than one image and one mask of one channel.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise ConversionError(f"{step}: made a file that starts with {data[:8]!r}, expected a TFLite flatbuffer")
    flat: Any = schema.Model.GetRootAs(data, 0)
    check_ends(schema, flat, step)
    settled = ends_are_settled(flat)
    if settled and not _CHANGED & set(operator_kinds(flat)):
        return
    model = flatbuffer_utils.read_model(str(path))
    changed = [fuse_biases(schema, model), connect_products(schema, model), not settled]
    if not settled:
        settle_ends(schema, model)
    changed.append(put_channels_last(schema, model))
    if any(changed):
        flatbuffer_utils.write_model(model, str(path))
