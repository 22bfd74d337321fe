"""ONNX files that cannot be converted: one clear line each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.exporter.subject.onnx_graphs import image, made, one_child, opened, relu, value
from tests.refusals import refusal

from segexport.errors import CheckpointError


@pytest.fixture(autouse=True, scope="module")
def _one_child() -> Iterator[None]:
    with one_child():
        yield


def shaped(path: Path, kind: str, numbers: list[int]) -> Path:
    """One operator that takes these numbers as its second input."""
    return node(path, kind, "x", "n", weights=[numpy_helper.from_array(np.array(numbers), "n")])


def node(path: Path, kind: str, *inputs: str, weights: list[Any] | None = None, **options: Any) -> Path:
    """One operator."""
    return made(path, [helper.make_node(kind, inputs, ["y"], **options)], weights=weights)


def fed(shape: list[Any], kind: int = TensorProto.FLOAT) -> Callable[[Path], Path]:
    return lambda path: made(path, [relu()], inputs=image(kind, shape))


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "two inputs": (
        lambda p: made(p, [helper.make_node("Add", ["x", "z"], ["y"])], inputs=[*image(), value("z", 1, [1, 3, 8, 8])]),
        r"takes 2 inputs \(x, z\), expected one image",
    ),
    "bytes in": (fed([1, 3, 8, 8], TensorProto.UINT8), "its input x is UINT8, expected FLOAT"),
    "half in": (fed([1, 3, 8, 8], TensorProto.FLOAT16), "its input x is FLOAT16, expected FLOAT"),
    "grey": (fed([1, 1, 8, 8]), r"shape \(1, 1, 8, 8\), expected \(1, 3, H, W\)"),
    "rank 2": (fed([1, 3]), r"shape \(1, 3\), expected"),
    "batch": (fed([4, 3, 8, 8]), "expected a batch of 1"),
    "classes": (
        lambda p: made(
            p, [helper.make_node("ArgMax", ["x"], ["y"], axis=1)], outputs=[value("y", TensorProto.INT64, [1, 1, 8, 8])]
        ),
        "its output y is INT64, the numbers of classes",
    ),
    "no picture out": (
        lambda p: made(
            p, [helper.make_node("Flatten", ["x"], ["y"])], outputs=[value("y", TensorProto.FLOAT, [None, None])]
        ),
        r"its output y has shape \(1, 192\), float32, expected float32 scores",
    ),
    "custom operator": (
        lambda p: made(p, [helper.make_node("Own", ["x"], ["y"], domain="com.own")], domains={"": 18, "com.own": 1}),
        "uses the operator Own of com.own",
    ),
    "unpooling": (
        lambda p: node(p, "MaxUnpool", "x", "i", kernel_shape=[2, 2]),
        "uses MaxUnpool, which no TFLite runtime has. Give the PyTorch checkpoint instead",
    ),
    "pooling with indices": (
        lambda p: made(p, [helper.make_node("MaxPool", ["x"], ["y", "i"], kernel_shape=[2, 2])]),
        "uses MaxPool with indices, which no TFLite runtime has",
    ),
    "quantised": (lambda p: node(p, "QuantizeLinear", "x", "s"), "is quantised already"),
    "chance": (
        lambda p: made(
            p, [helper.make_node("RandomUniformLike", ["x"], ["r"]), helper.make_node("Mul", ["x", "r"], ["y"])]
        ),
        r"is as it was in training \(RandomUniformLike\): .* Export it again after model\.eval\(\)",
    ),
    "statistics of the picture": (
        lambda p: made(
            p,
            [helper.make_node("BatchNormalization", ["x", *"abcd"], ["y", "m", "v"], training_mode=1)],
            weights=[numpy_helper.from_array(np.ones(3, np.float32), name) for name in "abcd"],
        ),
        r"is as it was in training \(BatchNormalization\)",
    ),
    "old opset": (lambda p: made(p, [relu()], domains={"": 9}), "opset 9, expected 11 to"),
    "future opset": (lambda p: made(p, [relu()], domains={"": 999}), "opset 999, expected 11 to"),
    "unknown operator": (lambda p: node(p, "Nonsense", "x"), "damaged ONNX file"),
    "undefined value": (lambda p: made(p, [relu("nothing")]), "damaged ONNX file"),
    "a negative extent": (
        lambda p: shaped(p, "Reshape", [1, -2, 8, 8]),
        r"onnxruntime refuses it \(.*Reshape.*Invalid dimension value: -2\)\. Export it again, or give",
    ),
    "another number of values": (
        lambda p: shaped(p, "Reshape", [1, 5, 8, 8]),
        r"onnxruntime refuses it \(Reshape node.*cannot be reshaped",
    ),
    "padded to less than nothing": (
        lambda p: shaped(p, "Pad", [0, 0, -9, 0, 0, 0, 0, 0]),
        r"onnxruntime refuses it \(Pad node.*must be >= 0",
    ),
    "a window larger than the picture": (
        lambda p: node(p, "AveragePool", "x", kernel_shape=[32, 32]),
        r"onnxruntime refuses it \(AveragePool node.*Calculated output dimension is negative",
    ),
    "an empty mask": (
        lambda p: node(p, "Slice", "x", "n", "n", "n", weights=[numpy_helper.from_array(np.array([1]), "n")]),
        r"its output y has shape \(1, 0, 8, 8\), float32, expected float32 scores",
    ),
    "two masks": (lambda p: node(p, "Concat", "x", "x", axis=0), r"its output y has shape \(2, 3, 8, 8\)"),
    "many classes": (fed([1, 3, 8, 8]), "the network has 3 output channels"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_converted_is_one_clear_line(tmp_path: Path, why: str) -> None:
    make, message = REFUSED[why]
    said = refusal((CheckpointError, ValueError), opened, make(tmp_path / "net.onnx"), most=700)
    assert re.search(message, said), said
