"""What a foreign ONNX computes of shapes alone, as constants: its input has one size now, and converters want fixed shapes.

Needs: a checked model whose input has a fixed shape. Does: finds the values that are the same for every picture, and puts what
onnxruntime gave for them in their place. Holds after: the same outputs for every picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from segexport.subject.foreign.reading import RANDOM

MOST_VALUES = 2**20  # of one constant; a larger one stays computed
_OWN = "segedge/known/"
_DATA_SHAPED = ("NonZero", "Unique", "Compress", "NonMaxSuppression", "StringSplit", "ImageDecoder")
_SHAPED_BY_ALL_INPUTS = ("Range", "ConstantOfShape", "MelWeightMatrix", "HannWindow", "HammingWindow", "BlackmanWindow")
_SHAPED_BY_LATER_INPUTS = (
    *(
        "Reshape",
        "Expand",
        "Slice",
        "Resize",
        "Upsample",
        "Tile",
        "Pad",
        "TopK",
        "OneHot",
        "Squeeze",
        "Unsqueeze",
        "Split",
    ),
    *("AffineGrid", "CenterCropPad", "Col2Im", "DFT", "STFT", "MaxUnpool"),
)


def known_values(model: Any) -> list[str]:
    """Names of values that are the same for every picture and that a node which sees the picture takes."""
    known = {"", *(tensor.name for tensor in model.graph.initializer)}
    fixed = known | {value.name for value in model.graph.input}  # values whose shape is the same for every picture
    computed: list[str] = []
    seeing: list[Any] = []
    for node in model.graph.node:
        if _has_fixed_shape(node, known, fixed):
            fixed.update(node.output)
        if _is_known(node, known, fixed):
            known.update(node.output)
            computed += [name for name in node.output if name and node.op_type != "Constant"]
        else:
            seeing.append(node)
    wanted = {name for node in seeing for name in node.input}
    return [name for name in computed if name in wanted]


def fold(model: Any, values: Mapping[str, npt.NDArray[Any]]) -> None:
    """Let every node take these constants; the nodes that computed them stay, for anyone who takes the rest of them."""
    import onnx

    small = {name: value for name, value in values.items() if value.size <= MOST_VALUES}
    used = Counter[str]()
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name in small:
                node.input[place] = _OWN + name
                used[name] += 1
    model.graph.initializer.extend(onnx.numpy_helper.from_array(np.asarray(small[name]), _OWN + name) for name in used)


def _is_known(node: Any, known: set[str], fixed: set[str]) -> bool:
    if node.op_type in ("Shape", "Size"):
        return fixed.issuperset(node.input)
    if node.op_type in RANDOM or _has_branches(node) or not known.issuperset(node.input):
        return False
    return len(node.input) > 0 or node.op_type == "Constant"


def _has_fixed_shape(node: Any, known: set[str], fixed: set[str]) -> bool:
    if (
        node.op_type in _DATA_SHAPED
        or node.op_type.startswith(("Sequence", "Split", "Optional"))
        or _has_branches(node)
    ):
        return node.op_type == "Split" and fixed.issuperset(node.input) and known.issuperset(node.input[1:])
    if node.op_type in _SHAPED_BY_ALL_INPUTS:
        return known.issuperset(node.input)
    if node.op_type in _SHAPED_BY_LATER_INPUTS or node.op_type.startswith("Reduce"):
        return fixed.issuperset(node.input) and known.issuperset(node.input[1:])
    return fixed.issuperset(node.input)


def _has_branches(node: Any) -> bool:
    return any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute)
