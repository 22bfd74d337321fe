"""PyTorch's pixel shuffle to one channel, in the order that TFLite's DEPTH_TO_SPACE has.

Needs: a DepthToSpace of mode CRD whose output has one channel. Does: says mode DCR. Holds after: the same numbers, bit for bit:
the modes differ in whether the output's channels or the block's places lie together, and there is one channel. onnx2tf puts the
channels in order with a GATHER otherwise, which XNNPACK does not run.
"""

from __future__ import annotations

import onnx_ir as ir

from segexport.convert.rewrites.editor import OnnxEditor, attribute, shape_of

NAME = "pixel_shuffle"


def rewrite_pixel_shuffle(editor: OnnxEditor) -> None:
    for node in editor.calls("DepthToSpace"):
        shape = shape_of(node.outputs[0])
        if shape is None or shape[1] != 1 or attribute(node, "mode", "DCR") != "CRD":
            continue
        settings = {"blocksize": node.attributes["blocksize"], "mode": "DCR"}
        editor.replace(NAME, node, [ir.node("DepthToSpace", [node.inputs[0]], settings)])
