"""A batch norm in the weights of the convolution next to it, or as a depthwise 1x1 convolution.

Needs: `(N, C, H, W)` float32, constant statistics, no training mode. Does: goes into the weights of a convolution before it
that nobody else reads, or of one behind it that alone reads it and pads nothing; else becomes a convolution of each channel
alone. Holds after: the same numbers to rounding, one operator
in place of a product and a sum, a weight scale for each channel in int8, and nothing left whose axes a converter can mistake.
onnx2tf 2.6.9 takes the channels of a batch norm for columns, and says nothing, where there are as many of both (CGNet, LEDNet:
64 channels at 64x64); one behind a global mean makes its file unusable (BiSeNetV2: "Input tensor lacks data").
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from segexport.convert.rewrites.editor import OnnxEditor, attribute, only_user, scaled_and_shifted, shape_of, values_of

NAME = "batch_norm"
_CONVOLUTIONS = {"Conv": 0, "ConvTranspose": 1}  # which axis of the weights the outputs of a group are


def rewrite_batch_norm(editor: OnnxEditor) -> None:
    for node in editor.calls("BatchNormalization"):
        affine = _affine(node)
        x, shape = node.inputs[0], shape_of(node.inputs[0])
        if affine is None or x is None or shape is None or len(shape) != 4:
            continue
        behind = _convolution_behind(node)
        if (folded := _folded(editor, x, *affine)) is not None:
            editor.replace(NAME, node, [folded])
        elif behind is not None:
            editor.replace(NAME, behind, [_folded_into(editor, behind, x, *affine)])
        else:
            editor.replace(NAME, node, [scaled_and_shifted(editor, x, *affine)])


def _affine(node: ir.Node) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None:
    """Scale and shift, each `(C,)`, of a batch norm with constant statistics; computed in float64."""
    constants = [values_of(value) for value in node.inputs[1:5]]
    unused = all(not output.uses() and not output.is_graph_output() for output in node.outputs[1:])
    if any(one is None or one.dtype != np.float32 for one in constants) or len(constants) != 4 or not unused:
        return None
    if attribute(node, "training_mode", 0) or not attribute(node, "spatial", 1):
        return None
    weight, bias, mean, variance = (np.asarray(one, np.float64) for one in constants)
    scale = weight / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
    return scale.astype(np.float32), (bias - mean * scale).astype(np.float32)


def _folded(
    editor: OnnxEditor, x: ir.Value, scale: npt.NDArray[np.float32], shift: npt.NDArray[np.float32]
) -> ir.Node | None:
    """The convolution before, with the batch norm in its weights; None where there is none for it alone."""
    before = x.producer()
    if before is None or before.op_type not in _CONVOLUTIONS or only_user(x) is None:
        return None
    weight = values_of(before.inputs[1])
    bias = values_of(before.inputs[2]) if len(before.inputs) > 2 and before.inputs[2] is not None else np.float32(0)
    if weight is None or bias is None or (before.op_type == "ConvTranspose" and attribute(before, "group", 1) != 1):
        return None
    axis = _CONVOLUTIONS[before.op_type]
    along = [1] * weight.ndim
    along[axis] = -1
    inputs = [
        before.inputs[0],
        editor.constant(f"{x.name}_folded_weight", (weight * scale.reshape(along)).astype(np.float32)),
        editor.constant(f"{x.name}_folded_bias", (bias * scale + shift).astype(np.float32)),
    ]
    return ir.node(before.op_type, inputs, dict(before.attributes))


def _convolution_behind(node: ir.Node) -> ir.Node | None:
    """The convolution that alone reads `node` and pads nothing: a border of zeros would not be shifted."""
    behind = only_user(node.outputs[0])
    if behind is None or behind.op_type != "Conv" or attribute(behind, "group", 1) != 1:
        return None
    plain = attribute(behind, "auto_pad", "NOTSET") in ("NOTSET", "VALID") and not any(attribute(behind, "pads", ()))
    constant = all(values_of(value) is not None for value in behind.inputs[1:] if value is not None)
    return behind if plain and constant and behind.inputs[0] is node.outputs[0] else None


def _folded_into(
    editor: OnnxEditor, behind: ir.Node, x: ir.Value, scale: npt.NDArray[np.float32], shift: npt.NDArray[np.float32]
) -> ir.Node:
    """`behind`, which reads what the batch norm read."""
    weight = np.asarray(values_of(behind.inputs[1]), np.float64)
    bias = values_of(behind.inputs[2]) if len(behind.inputs) > 2 and behind.inputs[2] is not None else np.float32(0)
    shifted = np.einsum("oihw,i->o", weight, shift.astype(np.float64)) + bias
    name = behind.outputs[0].name
    inputs = [
        x,
        editor.constant(f"{name}_folded_weight", (weight * scale[None, :, None, None]).astype(np.float32)),
        editor.constant(f"{name}_folded_bias", shifted.astype(np.float32)),
    ]
    return ir.node("Conv", inputs, dict(behind.attributes))
