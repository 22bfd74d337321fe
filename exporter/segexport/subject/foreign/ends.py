"""The end of a foreign ONNX: a Sigmoid or Softmax there is the head already, a Transpose there undoes the layout.

A head that is there is taken out, so that ours stands in its place: applied twice it would give another mask, and the logits
are what a comparison is scaled by.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

HEADS = {"Sigmoid": "sigmoid", "Softmax": "softmax"}
TO_NHWC, TO_NCHW = [0, 2, 3, 1], [0, 3, 1, 2]
_RESHAPING = ("Identity", "Dropout", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Gather")
_MOST = 16
_TOLERANCE = 1e-3


def head_at_end(model: Any, output: str) -> Any:
    """The Sigmoid or Softmax behind which only reshaping or a choice of channels follows, and that nothing else uses."""
    used = Counter(name for node in model.graph.node for name in node.input)
    for node in _way_back(model, output):
        if node.op_type in HEADS:
            return node if used[node.output[0]] <= 1 else None
        if node.op_type not in _RESHAPING or used[node.output[0]] > 1:
            return None
    return None


def _way_back(model: Any, output: str) -> Iterator[Any]:
    """Nodes from the end along their first inputs."""
    makers = {name: node for node in model.graph.node for name in node.output}
    for _ in range(_MOST):
        node = makers.get(output)
        if node is None or not node.input:
            return
        yield node
        output = node.input[0]


def take_out(node: Any) -> None:
    """Let a node pass its input on."""
    node.op_type = "Identity"
    node.ClearField("attribute")


def adds_up_to_one(values: npt.NDArray[Any], layout: str) -> bool:
    """Whether these scores are a softmax over the channels: `(1, C, h, w)` or `(1, h, w, C)`, two classes or more."""
    axis = 1 if layout == "NCHW" else 3
    if values.ndim != 4 or values.shape[axis] < 2:
        return False
    sums = values.sum(axis)
    return bool(values.min() >= -_TOLERANCE and np.abs(sums - 1).max() <= _TOLERANCE)


def before_transpose(model: Any, output: str) -> str | None:
    """What a Transpose from channels first to channels last at the end is applied to; None where there is none."""
    node = next(_way_back(model, output), None)
    return str(node.input[0]) if node is not None and _turns(node, TO_NHWC) else None


def without_turning_twice(model: Any, image: str, turned: str) -> None:
    """`image` is `turned` with its channels last: anyone who turns it back gets `turned` itself."""
    for node in model.graph.node:
        if _turns(node, TO_NCHW) and node.input[0] == image:
            node.input[0] = turned
            take_out(node)


def _turns(node: Any, way: list[int]) -> bool:
    order = next((list(attribute.ints) for attribute in node.attribute if attribute.name == "perm"), [])
    return bool(node.op_type == "Transpose" and order == way)
