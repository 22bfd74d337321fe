"""What every converter's file becomes before anybody looks at it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segexport.errors import ConversionError
from segexport.tflite.ends import check_ends, ends_are_settled, settle_ends
from segexport.tflite.transposed_bias import fuse_biases, may_have_loose_biases


def settle(path: Path, step: str) -> None:
    """Ends as `ends.py` has them, biases as `transposed_bias.py` has them; a file that is so already is not touched.

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
    settled, loose = ends_are_settled(flat), may_have_loose_biases(schema, flat)
    if settled and not loose:
        return
    model = flatbuffer_utils.read_model(str(path))
    fused = loose and fuse_biases(schema, model)
    if not settled:
        settle_ends(schema, model)
    if fused or not settled:
        flatbuffer_utils.write_model(model, str(path))
