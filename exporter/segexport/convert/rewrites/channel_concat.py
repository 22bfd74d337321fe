"""A concatenation of channels with the channels last, where a converter cannot tell the channels from rows and columns.

Needs: `(N, C, H, W)` maps put together along their channels, one of them with as many channels as rows as columns. Does: the
same with the channels last, between transposes. Holds after: the same numbers, bit for bit. onnx2tf 2.6.9 puts them together
along their rows where a PReLU comes before and a grouped convolution behind (ESPNetv2: 32 channels at 32x32), silently.
"""

from __future__ import annotations

import onnx_ir as ir

from segexport.convert.rewrites.editor import OnnxEditor, attribute, shape_of

NAME = "channel_concat"
_TO_NHWC, _TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


def rewrite_channel_concat(editor: OnnxEditor) -> None:
    for node in editor.calls("Concat"):
        inputs = [value for value in node.inputs if value is not None]
        if attribute(node, "axis", None) == 1 and any(_is_mistakable(value) for value in inputs):
            turned = [ir.node("Transpose", [value], {"perm": _TO_NHWC}) for value in inputs]
            together = ir.node("Concat", [one.outputs[0] for one in turned], {"axis": 3})
            back = ir.node("Transpose", [together.outputs[0]], {"perm": _TO_NCHW})
            editor.replace(NAME, node, [*turned, together, back])


def _is_mistakable(value: ir.Value) -> bool:
    shape = shape_of(value)
    return shape is not None and len(shape) == 4 and shape[1] == shape[2] == shape[3] > 1
