"""Graph surgery on a foreign ONNX: the preprocessing before it, the head behind it, as `segexport.subject.deploy` has them.

Needs: a checked model, see `reading`. Does: keeps what the chosen output needs, renames nothing unless it clashes, puts
`image (1, 3, H, W)` RGB 0..1 in front and `probability (1, 1, h, w)` at the end. Holds after: the values of the old graph for
the prepared picture, and on them exactly the head's formula.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    """Changes the graph of `model` in place; names that it adds are ones that nothing else has, see `without_clashes`."""

    def __init__(self, model: Any) -> None:
        self.model, self.graph = model, model.graph
        self._opset = opset_of(model)
        self._added: list[Any] = []

    def image(self, image: ImageInput, size: tuple[int, int], preprocessing: Preprocessing, color: str) -> None:
        """Put the input `image (1, 3, H, W)` and the preprocessing in front of what was the model's input."""
        import onnx

        last = self._stretched(preprocessing, self._affine(preprocessing, color, IMAGE))
        if image.layout == "NHWC":
            self._add("Transpose", [last], image.name, perm=TO_NHWC)
            without_turning_twice(self.model, image.name, last)
        else:
            self._add("Identity", [last], image.name)
        self.graph.ClearField("input")
        self.graph.input.append(onnx.helper.make_tensor_value_info(IMAGE, onnx.TensorProto.FLOAT, [1, 3, *size]))
        before = _copies(self.graph.node)
        self.graph.ClearField("node")
        self._append()
        self.graph.node.extend(before)

    def _affine(self, preprocessing: Preprocessing, color: str, last: str) -> str:
        values = affine_values(preprocessing, color)
        if values is None:
            return last
        weight = self._constant("prepare.weight", values[0].numpy())
        bias = self._constant("prepare.bias", values[1].numpy())
        return self._add("Conv", [last, weight, bias], OWN + "prepared", kernel_shape=[1, 1])

    def _stretched(self, preprocessing: Preprocessing, last: str) -> str:
        """`(x - min) / max(max - min, 1e-6)` over the whole picture."""
        if not preprocessing.minmax:
            return last
        axes: dict[str, Any] = {"axes": [1, 2, 3]}
        more: list[str] = []
        if self._opset >= _AXES_ARE_INPUTS:
            axes, more = {}, [self._constant("axes", np.array([1, 2, 3], np.int64))]
        low = self._add("ReduceMin", [last, *more], OWN + "low", keepdims=1, **axes)
        high = self._add("ReduceMax", [last, *more], OWN + "high", keepdims=1, **axes)
        least = self._constant("least", np.array(SMALLEST_RANGE, np.float32))
        extent = self._add("Max", [self._add("Sub", [high, low], OWN + "extent"), least], OWN + "positive")
        return self._add("Div", [self._add("Sub", [last, low], OWN + "above"), extent], OWN + "stretched")

    def logits(self, output: str, shape: tuple[int, ...], layout: str) -> tuple[int, int, int]:
        """Give what the model says the name LOGITS and the form `(1, C, h, w)`, which is returned as (C, h, w)."""
        if len(shape) == 3:
            channels, height, width = 1, shape[1], shape[2]
            form = self._constant("form", np.array([1, 1, height, width], np.int64))
            self._add("Reshape", [output, form], LOGITS)
        elif layout == "NHWC":
            _, height, width, channels = shape
            self._add("Transpose", [output], LOGITS, perm=TO_NCHW)
        else:
            _, channels, height, width = shape
            self._add("Identity", [output], LOGITS)
        self._append()
        return channels, height, width

    def head(self, head: PersonProbability) -> None:
        """LOGITS → PROBABILITY, the formula of `deploy.PersonProbability`."""
        if head.head == "none":
            self._channel(LOGITS, head.person, head.channels, PROBABILITY)
        elif head.head == "sigmoid":
            self._add("Sigmoid", [self._channel(LOGITS, head.person, head.channels, OWN + "person")], PROBABILITY)
        elif head.channels == 2:  # softmax of two is the sigmoid of their difference, and that stays exact in int8
            person = self._channel(LOGITS, head.person, 2, OWN + "person")
            other = self._channel(LOGITS, 1 - head.person, 2, OWN + "other")
            self._add("Sigmoid", [self._add("Sub", [person, other], OWN + "ahead")], PROBABILITY)
        else:
            self._channel(self._softmax(), head.person, head.channels, PROBABILITY)
        self._append()

    def _softmax(self) -> str:
        """Over the channels; before opset 13 on the last axis, where the old meaning and the new one agree."""
        if self._opset >= _SOFTMAX_HAS_AN_AXIS:
            return self._add("Softmax", [LOGITS], OWN + "softmax", axis=1)
        last = self._add("Transpose", [LOGITS], OWN + "channels_last", perm=TO_NHWC)
        soft = self._add("Softmax", [last], OWN + "soft", axis=3)
        return self._add("Transpose", [soft], OWN + "softmax", perm=TO_NCHW)

    def _channel(self, values: str, index: int, channels: int, name: str) -> str:
        """`values[:, index : index + 1]`."""
        if channels == 1:
            return self._add("Identity", [values], name)
        short = name.removeprefix(OWN)
        start, end, axis = (
            self._constant(f"{short}.{what}", np.array([number], np.int64))
            for what, number in (("start", index), ("end", index + 1), ("axis", 1))
        )
        return self._add("Slice", [values, start, end, axis], name)

    def keep_only(self, output: str) -> None:
        """Drop every node and initializer that `output` does not need, and what was said about shapes for another size."""
        graph = self.graph
        needed, kept = {output}, []
        for node in reversed(graph.node):
            if needed.intersection(filter(None, node.output)):
                kept.append(node)
                needed |= _used(node)
        weights = [tensor for tensor in graph.initializer if tensor.name in needed]
        inputs = [value for value in graph.input if value.name not in {tensor.name for tensor in graph.initializer}]
        for field, values in (("node", kept[::-1]), ("initializer", weights), ("input", inputs), ("value_info", ())):
            values = _copies(values)
            graph.ClearField(field)
            getattr(graph, field).extend(values)

    def set_output(self, name: str, shape: Sequence[int] | None) -> None:
        """Make this the one output of the model, float32, with its shape where it is known."""
        import onnx

        self.graph.ClearField("output")
        self.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))

    def _add(self, kind: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """One node; its output is called `name`, which is given back."""
        import onnx

        self._added.append(onnx.helper.make_node(kind, list(inputs), [name], name=f"{OWN}{kind}_{name}", **attributes))
        return name

    def _constant(self, name: str, values: npt.NDArray[Any]) -> str:
        import onnx

        self.graph.initializer.append(onnx.numpy_helper.from_array(values, OWN + name))
        return OWN + name

    def _append(self) -> None:
        self.graph.node.extend(self._added)
        self._added.clear()


def without_clashes(model: Any) -> Any:
    """The model itself; with `net_` before all its names where it uses a name that is added here."""
    import onnx

    graph = model.graph
    used = {name for node in graph.node for name in (*node.input, *node.output)}
    used |= {value.name for values in (graph.input, graph.output, graph.initializer) for value in values}
    if not used & {IMAGE, PROBABILITY} and not any(name.startswith(OWN) for name in used):
        return model
    return onnx.compose.add_prefix(model, "net_")


def _used(node: Any) -> set[str]:
    """Names that a node reads, and those that its branches read."""
    names = {name for name in node.input if name}
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                names |= _used(inner)
            names |= {value.name for value in graph.output}
    return names


def _copies(values: Iterable[Any]) -> list[Any]:
    """Of what will be cleared with the field that it lies in."""
    return [type(value).FromString(value.SerializeToString()) for value in values]
