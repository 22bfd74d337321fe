"""A copy of an ONNX file for converter `tf` alone: opset 17 where it was 18.

Needs: onnx of any version and nothing else, since it runs in that converter's own environment. Does: takes the axes of the
reductions from their second input to an attribute, leaves out attributes that are new in 18 and change nothing, and says 17; a
file that is no opset 17 then stays as it was. Holds after: the same numbers, bit for bit. onnx2tf 1.29 reads `align_corners` of
a Resize from opset 18 on as false, silently. (The version converter of onnx knows no way back for Pad.)
"""

from __future__ import annotations

from typing import Any

_FROM, _TO = 18, 17
_AXES_WERE_AN_INPUT_BEFORE = ("ReduceSum",)
_NEW = {
    "antialias": 0,
    "keep_aspect_ratio_policy": b"stretch",
    "noop_with_empty_axes": 0,
}  # and what they say by default


def prepare_for_tf(model: Any) -> None:
    """Rewrite `model`, an `onnx.ModelProto`, in place where that can be done."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    opset = next((one for one in copy.opset_import if one.domain in ("", "ai.onnx")), None)
    if opset is None or opset.version != _FROM:
        return
    opset.version = _TO
    constants = {tensor.name: tensor for tensor in copy.graph.initializer}
    for node in copy.graph.node:
        for attribute in list(node.attribute):
            if attribute.name in _NEW and onnx.helper.get_attribute_value(attribute) == _NEW[attribute.name]:
                node.attribute.remove(attribute)
        if node.op_type.startswith("Reduce") and node.op_type not in _AXES_WERE_AN_INPUT_BEFORE and len(node.input) > 1:
            axes = constants.get(node.input.pop())
            if axes is None:
                return
            node.attribute.append(onnx.helper.make_attribute("axes", onnx.numpy_helper.to_array(axes).tolist()))
    try:
        onnx.checker.check_model(copy, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return
    model.CopyFrom(copy)
