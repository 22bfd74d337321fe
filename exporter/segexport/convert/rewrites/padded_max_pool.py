"""A max-pool of a foreign file with padding, without minus infinity, which converters write as a constant.

Needs: a max-pool over `(N, C, H, W)` with explicit padding that is smaller than its kernel; with dilation, that nothing in
what is pooled is below zero. Does: pads with zeros where nothing is below zero (a ReLU or the like came before), with the
edge's own values otherwise; then pools without padding. Holds after: the same numbers, bit for bit (why: see
`segexport.convert.torch_rewrites.padded_max_pool`, which does the same for networks of PyTorch), and ranges that int8 can hold.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from segexport.convert.rewrites.editor import OnnxEditor, attribute, number_of, shape_of

NAME = "padded_max_pool"
_NEVER_NEGATIVE = ("Relu", "Sigmoid", "HardSigmoid", "Softmax", "Abs", "Exp")
_KEEP_SIGNS = ("MaxPool", "AveragePool", "Concat", "Add", "Mul", "Identity")


def rewrite_padded_max_pool(editor: OnnxEditor) -> None:
    for node in editor.calls("MaxPool"):
        x, pads = node.inputs[0], _pads(node)
        if x is None or pads is None:
            continue
        zeros = _never_negative(x)
        if not zeros and any(step != 1 for step in attribute(node, "dilations", (1, 1))):
            continue
        amounts = editor.constant(
            f"{node.outputs[0].name}_pads", np.array([0, 0, *pads[:2], 0, 0, *pads[2:]], np.int64)
        )
        padded = ir.node("Pad", [x, amounts], {"mode": "constant" if zeros else "edge"})
        padded.outputs[0].name = f"{node.outputs[0].name}_padded"
        kept = {
            name: node.attributes[name] for name in ("kernel_shape", "strides", "dilations") if name in node.attributes
        }
        editor.replace(NAME, node, [padded, ir.node("MaxPool", [padded.outputs[0]], kept)])


def _pads(node: ir.Node) -> tuple[int, int, int, int] | None:
    """Lines above, left, below and right that a pool without padding needs for the same windows; None where it stays."""
    size, wanted = shape_of(node.inputs[0]), shape_of(node.outputs[0])
    indices = len(node.outputs) > 1 and (node.outputs[1].uses() or node.outputs[1].is_graph_output())
    if size is None or wanted is None or len(size) != 4 or indices or attribute(node, "auto_pad", "NOTSET") != "NOTSET":
        return None
    kernel, strides = attribute(node, "kernel_shape", (1, 1)), attribute(node, "strides", (1, 1))
    before, dilations = attribute(node, "pads", (0, 0, 0, 0))[:2], attribute(node, "dilations", (1, 1))
    reach = [step * (width - 1) + 1 for step, width in zip(dilations, kernel, strict=True)]
    after = [
        max((windows - 1) * stride + wide - first - length, 0)
        for windows, stride, wide, first, length in zip(wanted[2:], strides, reach, before, size[2:], strict=True)
    ]
    fits = all(lines < wide for lines, wide in zip((*before, *after), (*reach, *reach), strict=True))
    return (before[0], before[1], after[0], after[1]) if fits and any((*before, *after)) else None


def _never_negative(value: ir.Value | None) -> bool:
    node = None if value is None else value.producer()
    if node is None:
        return False
    if node.op_type == "Clip":
        least = number_of(node.inputs[1]) if len(node.inputs) > 1 else attribute(node, "min", None)
        return least is not None and least >= 0
    if node.op_type in _KEEP_SIGNS:
        return all(_never_negative(source) for source in node.inputs)
    return node.op_type in _NEVER_NEGATIVE
