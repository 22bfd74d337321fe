"""Graph surgery on a foreign ONNX: the preprocessing before it, the head behind it, as `segexport.subject.deploy` has them.

Needs: a checked model, see `onnx_reading`. Does: keeps what the chosen output needs, renames nothing unless it clashes, puts
`image (1, 3, H, W)` RGB 0..1 in front and `probability (1, 1, h, w)` at the end. Holds after: the values of the old graph for
the prepared picture, and on them exactly the head's formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from segexport.presets import Preprocessing
from segexport.subject.deploy import SMALLEST_RANGE, PersonProbability, affine_values
from segexport.subject.foreign.ends import TO_NCHW, TO_NHWC, without_turning_twice
from segexport.subject.foreign.reading import ImageInput, opset_of

IMAGE, PROBABILITY = "image", "probability"
OWN = "segedge/"  # before the names of every value that is added
LOGITS = OWN + "logits"
_AXES_ARE_INPUTS = 18  # of ReduceMin and ReduceMax
_SOFTMAX_HAS_AN_AXIS = 13  # before that it flattens everything behind the axis


class Graft:
    """Adds nodes to a model, with names that nothing else has."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.opset = opset_of(model)
        self.nodes: list[Any] = []

    def add(self, kind: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """One node; its output is called `name`, which is given back."""
        import onnx

        self.nodes.append(onnx.helper.make_node(kind, list(inputs), [name], name=f"{OWN}{kind}_{name}", **attributes))
        return name

    def constant(self, name: str, values: npt.NDArray[Any]) -> str:
        import onnx

        self.model.graph.initializer.append(onnx.numpy_helper.from_array(values, OWN + name))
        return OWN + name


def without_clashes(model: Any) -> Any:
    """The model itself; with `net_` before all its names where it uses a name that is added here."""
    import onnx

    graph = model.graph
    used = {name for node in graph.node for name in (*node.input, *node.output)}
    used |= {value.name for values in (graph.input, graph.output, graph.initializer) for value in values}
    if not used & {IMAGE, PROBABILITY} and not any(name.startswith(OWN) for name in used):
        return model
    return onnx.compose.add_prefix(model, "net_")


def keep_only(model: Any, output: str) -> None:
    """Drop every node and initializer that `output` does not need, and what was said about shapes for another size."""
    graph = model.graph
    needed, kept = {output}, []
    for node in reversed(graph.node):
        if needed.intersection(filter(None, node.output)):
            kept.append(node)
            needed |= _used(node)
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    inputs = [value for value in graph.input if value.name not in {tensor.name for tensor in graph.initializer}]
    for field, values in (("node", kept[::-1]), ("initializer", weights), ("input", inputs), ("value_info", ())):
        values = [type(value).FromString(value.SerializeToString()) for value in values]
        graph.ClearField(field)
        getattr(graph, field).extend(values)


def _used(node: Any) -> set[str]:
    """Names that a node reads, and those that its branches read."""
    names = {name for name in node.input if name}
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                names |= _used(inner)
            names |= {value.name for value in graph.output}
    return names


def set_outputs(model: Any, *outputs: tuple[str, Sequence[int] | None]) -> None:
    """Make these the outputs of the model, float32, with their shapes where they are known."""
    import onnx

    model.graph.ClearField("output")
    for name, shape in outputs:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))


def graft_image(model: Any, image: ImageInput, size: tuple[int, int], preprocessing: Preprocessing, color: str) -> None:
    """Put the input `image (1, 3, H, W)` and the preprocessing in front of what was the model's input."""
    import onnx

    graft = Graft(model)
    last = _stretched(graft, preprocessing, _affine(graft, preprocessing, color, IMAGE))
    if image.layout == "NHWC":
        graft.add("Transpose", [last], image.name, perm=TO_NHWC)
        without_turning_twice(model, image.name, last)
    else:
        graft.add("Identity", [last], image.name)
    model.graph.ClearField("input")
    model.graph.input.append(onnx.helper.make_tensor_value_info(IMAGE, onnx.TensorProto.FLOAT, [1, 3, *size]))
    before = [type(node).FromString(node.SerializeToString()) for node in model.graph.node]
    model.graph.ClearField("node")
    model.graph.node.extend([*graft.nodes, *before])


def _affine(graft: Graft, preprocessing: Preprocessing, color: str, last: str) -> str:
    values = affine_values(preprocessing, color)
    if values is None:
        return last
    weight = graft.constant("prepare.weight", values[0].numpy())
    bias = graft.constant("prepare.bias", values[1].numpy())
    return graft.add("Conv", [last, weight, bias], OWN + "prepared", kernel_shape=[1, 1])


def _stretched(graft: Graft, preprocessing: Preprocessing, last: str) -> str:
    """`(x - min) / max(max - min, 1e-6)` over the whole picture."""
    if not preprocessing.minmax:
        return last
    axes: dict[str, Any] = {"axes": [1, 2, 3]}
    more: list[str] = []
    if graft.opset >= _AXES_ARE_INPUTS:
        axes, more = {}, [graft.constant("axes", np.array([1, 2, 3], np.int64))]
    low = graft.add("ReduceMin", [last, *more], OWN + "low", keepdims=1, **axes)
    high = graft.add("ReduceMax", [last, *more], OWN + "high", keepdims=1, **axes)
    least = graft.constant("least", np.array(SMALLEST_RANGE, np.float32))
    extent = graft.add("Max", [graft.add("Sub", [high, low], OWN + "extent"), least], OWN + "positive")
    return graft.add("Div", [graft.add("Sub", [last, low], OWN + "above"), extent], OWN + "stretched")


def graft_logits(model: Any, output: str, shape: tuple[int, ...], layout: str) -> tuple[int, int, int]:
    """Give what the model says the name LOGITS and the form `(1, C, h, w)`, which is returned as (C, h, w)."""
    graft = Graft(model)
    if len(shape) == 3:
        channels, height, width = 1, shape[1], shape[2]
        form = graft.constant("form", np.array([1, 1, height, width], np.int64))
        graft.add("Reshape", [output, form], LOGITS)
    elif layout == "NHWC":
        _, height, width, channels = shape
        graft.add("Transpose", [output], LOGITS, perm=TO_NCHW)
    else:
        _, channels, height, width = shape
        graft.add("Identity", [output], LOGITS)
    model.graph.node.extend(graft.nodes)
    return channels, height, width


def graft_head(model: Any, head: PersonProbability) -> None:
    """LOGITS → PROBABILITY, the formula of `deploy.PersonProbability`."""
    graft = Graft(model)
    if head.head == "none":
        _channel(graft, LOGITS, head.person, head.channels, PROBABILITY)
    elif head.head == "sigmoid":
        graft.add("Sigmoid", [_channel(graft, LOGITS, head.person, head.channels, OWN + "person")], PROBABILITY)
    elif head.channels == 2:  # softmax of two is the sigmoid of their difference, and that stays exact in int8
        person = _channel(graft, LOGITS, head.person, 2, OWN + "person")
        other = _channel(graft, LOGITS, 1 - head.person, 2, OWN + "other")
        graft.add("Sigmoid", [graft.add("Sub", [person, other], OWN + "ahead")], PROBABILITY)
    else:
        _channel(graft, _softmax(graft), head.person, head.channels, PROBABILITY)
    model.graph.node.extend(graft.nodes)


def _softmax(graft: Graft) -> str:
    """Over the channels; before opset 13 on the last axis, where the old meaning and the new one agree."""
    if graft.opset >= _SOFTMAX_HAS_AN_AXIS:
        return graft.add("Softmax", [LOGITS], OWN + "softmax", axis=1)
    last = graft.add("Transpose", [LOGITS], OWN + "channels_last", perm=[0, 2, 3, 1])
    return graft.add(
        "Transpose", [graft.add("Softmax", [last], OWN + "soft", axis=3)], OWN + "softmax", perm=[0, 3, 1, 2]
    )


def _channel(graft: Graft, values: str, index: int, channels: int, name: str) -> str:
    """`values[:, index : index + 1]`."""
    if channels == 1:
        return graft.add("Identity", [values], name)
    short = name.removeprefix(OWN)
    start, end, axis = (
        graft.constant(f"{short}.{what}", np.array([number], np.int64))
        for what, number in (("start", index), ("end", index + 1), ("axis", 1))
    )
    return graft.add("Slice", [values, start, end, axis], name)
