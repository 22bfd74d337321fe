"""The exact GELU, spelled with Erf, as ONNX' own operator.

Needs: `x`, one half and `1 + erf(x / sqrt 2)`, multiplied in any order (torch's exporters at all opsets, transformers, Keras).
Does: one Gelu in their place; the file goes to opset 20, where that begins. Holds after: the same numbers to rounding, and one
operator that LiteRT computes exactly and that can be int8. TFLite has no Erf: onnx2tf 2 approximates it with 24 operators.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from segexport.convert.rewrites.editor import OnnxEditor, number_of, only_user

NAME = "gelu"
OPSET = 20
_EXACT = 1e-5  # relative; how far 0.7071 and 1.4142 may be from what they stand for


def rewrite_gelu(editor: OnnxEditor) -> None:
    if not _found(editor) or not _raise_opset(editor.model):
        return
    for last, x in _found(editor):  # once more: another opset is another graph
        editor.replace(NAME, last, [ir.node("Gelu", [x])])


def _found(editor: OnnxEditor) -> list[tuple[ir.Node, ir.Value]]:
    """The last product of each, and `x`."""
    pairs = ((_product(node), _argument(node)) for node in editor.calls("Erf"))
    return [(found[0], x) for found, x in pairs if found is not None and x is not None and found[1] is x]


def _argument(erf: ir.Node) -> ir.Value | None:
    """`x` of `erf(x / sqrt 2)`."""
    node = erf.inputs[0].producer() if erf.inputs[0] is not None else None
    if node is None or len(node.inputs) != 2:
        return None
    left, right = node.inputs
    if node.op_type == "Div" and _is(right, math.sqrt(2)):
        return left
    return _other(node, math.sqrt(0.5)) if node.op_type == "Mul" else None


def _product(erf: ir.Node) -> tuple[ir.Node, ir.Value] | None:
    """The node where `1 + erf` has met one half and one other factor, and that factor."""
    node = only_user(erf.outputs[0])
    if node is None or node.op_type != "Add" or _other(node, 1.0) is not erf.outputs[0]:
        return None
    half, x, value = False, None, node.outputs[0]
    while not half or x is None:
        node = only_user(value)
        if node is None or node.op_type not in ("Mul", "Div"):
            return None
        factor, halves = _factor(node, value)
        if (half and halves) or (factor is not None and x is not None) or (factor is None and not halves):
            return None
        half, x, value = half or halves, factor or x, node.outputs[0]
    return (node, x) if node is not None else None


def _factor(node: ir.Node, value: ir.Value) -> tuple[ir.Value | None, bool]:
    """What `node` multiplies `value` with next to one half, and whether one half is in it."""
    left, right = node.inputs
    if node.op_type == "Div":
        return None, left is value and _is(right, 2.0)
    other = right if left is value else left
    if _is(other, 0.5):
        return None, True
    before = other.producer() if other is not None else None
    if before is not None and before.op_type == "Mul" and (halved := _other(before, 0.5)) is not None:
        return halved, True
    if before is not None and before.op_type == "Div" and _is(before.inputs[1], 2.0):
        return before.inputs[0], True
    return other, False


def _other(node: ir.Node, number: float) -> ir.Value | None:
    """The input next to the one that is the constant `number`."""
    left, right = node.inputs
    return left if _is(right, number) else right if _is(left, number) else None


def _is(value: ir.Value | None, number: float) -> bool:
    found = number_of(value)
    return found is not None and math.isclose(found, number, rel_tol=_EXACT)


def _raise_opset(model: ir.Model) -> bool:
    """Bring the file to the opset that Gelu needs; False, and nothing changed, where that cannot be done."""
    from onnxscript.version_converter import convert_version

    if _opset(model) < OPSET:
        convert_version(model, OPSET, fallback=True)
    return _opset(model) >= OPSET


def _opset(model: ir.Model) -> int:
    return model.opset_imports.get("", 0)
