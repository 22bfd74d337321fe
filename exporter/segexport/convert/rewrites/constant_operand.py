"""A constant along one axis, where another axis is as long, as the weights of a depthwise 1x1 convolution.

Needs: a sum, difference, product or quotient of `(N, C, H, W)` float32 with a constant that is not the same everywhere and
that fits with its axes turned too (`mistakable`). Does: turns the axis that the constant runs along to the channels, where a
convolution scales and shifts each alone, and turns back; a constant along two axes or three runs along all of them in a row.
Holds after: the same numbers to rounding. Both versions of onnx2tf find out by the sizes whether a constant is turned already,
and take one for the other, silently: `(1, 1, H, 1)` with H = W or H = C, `(1, 1, 1, W)` with W = C, `(1, C, 1, 1)` with C = W.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from segexport.convert.rewrites.editor import OnnxEditor, Shape, scaled_and_shifted, shape_of, values_of

NAME = "constant_operand"
_TO_NHWC, _TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)
_TURNS = {1: None, 2: (0, 2, 1, 3), 3: (0, 3, 2, 1)}  # its own inverse, each

Floats = npt.NDArray[np.float32]
_AFFINE: dict[tuple[str, bool], Callable[[Floats], tuple[Floats, Floats]]] = {
    ("Add", False): lambda c: (np.ones_like(c), c),
    ("Add", True): lambda c: (np.ones_like(c), c),
    ("Sub", False): lambda c: (np.ones_like(c), -c),
    ("Sub", True): lambda c: (-np.ones_like(c), c),
    ("Mul", False): lambda c: (c, np.zeros_like(c)),
    ("Mul", True): lambda c: (c, np.zeros_like(c)),
    ("Div", False): lambda c: (np.reciprocal(c), np.zeros_like(c)),
}
"""Operator, and whether the constant comes first → scale and shift that do the same."""


def rewrite_constant_operand(editor: OnnxEditor) -> None:
    for node in editor.calls("Add", "Sub", "Mul", "Div"):
        for first, (constant, x) in enumerate((node.inputs[::-1], node.inputs)):
            values, shape = values_of(constant), shape_of(x)
            affine = _AFFINE.get((node.op_type, bool(first)))
            if x is None or values is None or shape is None or affine is None or not _fits(values, shape):
                continue
            form = (1,) * (4 - values.ndim) + values.shape
            if mistakable(form, shape):
                editor.replace(NAME, node, _nodes(editor, x, values.reshape(form), shape, affine))
            break


def mistakable(form: Shape, shape: Shape) -> bool:
    """Whether a constant of the form `(1, c, h, w)`, or it turned to the channels last, fits `shape` or it turned, wrongly."""
    if max(form) == 1:
        return False
    last = tuple(shape[axis] for axis in _TO_NHWC)
    turned = tuple(form[axis] for axis in _TO_NHWC)
    return _broadcasts(form, last) or _broadcasts(turned, shape)


def _broadcasts(form: Shape, shape: Shape) -> bool:
    return all(one in (1, size) for one, size in zip(form, shape, strict=True))


def _fits(values: npt.NDArray[Any], shape: Shape) -> bool:
    if values.dtype != np.float32 or values.ndim > 4 or len(shape) != 4:
        return False
    form = (1,) * (4 - values.ndim) + values.shape
    return form[0] == 1 and _broadcasts(form, shape)


def _nodes(
    editor: OnnxEditor, x: ir.Value, values: Floats, shape: Shape, affine: Callable[[Floats], tuple[Floats, Floats]]
) -> list[ir.Node]:
    along = [axis for axis, size in enumerate(values.shape) if size > 1]
    if len(along) > 1:
        return _in_a_row(editor, x, np.broadcast_to(values, (1, *shape[1:])), shape, affine)
    turn = _TURNS[along[0]]
    if turn is None:
        return [scaled_and_shifted(editor, x, *affine(values.reshape(-1)))]
    there = ir.node("Transpose", [x], {"perm": turn})
    there.outputs[0].name = f"{x.name}_turned"
    convolution = scaled_and_shifted(editor, there.outputs[0], *affine(values.reshape(-1)))
    return [there, convolution, ir.node("Transpose", [convolution.outputs[0]], {"perm": turn})]


def _in_a_row(
    editor: OnnxEditor, x: ir.Value, values: Floats, shape: Shape, affine: Callable[[Floats], tuple[Floats, Floats]]
) -> list[ir.Node]:
    row = editor.constant(f"{x.name}_row", np.array([shape[0], values.size, 1, 1], np.int64))
    back = editor.constant(f"{x.name}_form", np.array(shape, np.int64))
    there = ir.node("Reshape", [x, row])
    there.outputs[0].name = f"{x.name}_in_a_row"
    convolution = scaled_and_shifted(editor, there.outputs[0], *affine(values.reshape(-1)))
    return [there, convolution, ir.node("Reshape", [convolution.outputs[0], back])]
