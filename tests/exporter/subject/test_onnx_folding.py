"""What a foreign ONNX computes of shapes alone becomes a constant, and what the picture decides does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from tests.exporter.subject.onnx_graphs import made, one_child, opened, value
from torch import Tensor, nn

from segexport.presets import PREPROCESSING
from segexport.subject.deploy import Deployable, PersonProbability
from segexport.subject.foreign.folding import fold, known_values

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning", "ignore::torch.jit.TracerWarning"
)
node = helper.make_node
ANY = [None] * 4


@pytest.fixture(autouse=True, scope="module")
def _one_child() -> Iterator[None]:
    with one_child():
        yield


class SegFormer(nn.Module):
    """transformers' SegFormer in small: patches, attention over reduced keys, layer norm, exact GELU, logits at a quarter."""

    def __init__(self, classes: int, width: int = 8) -> None:
        super().__init__()
        self.patches, self.norm = nn.Conv2d(3, width, 7, 4, 3), nn.LayerNorm(width)
        self.reduce, self.query, self.key = (
            nn.Conv2d(width, width, 4, 4),
            nn.Linear(width, width),
            nn.Linear(width, width),
        )
        self.wide, self.depthwise = (
            nn.Linear(width, 2 * width),
            nn.Conv2d(2 * width, 2 * width, 3, 1, 1, groups=2 * width),
        )
        self.narrow, self.classify = nn.Linear(2 * width, width), nn.Conv2d(width, classes, 1)

    def forward(self, pixel_values: Tensor) -> Tensor:
        x = self.patches(pixel_values)
        batch, channels, height, width = x.shape
        tokens = self.norm(x.flatten(2).transpose(1, 2))
        keys = self.reduce(tokens.transpose(1, 2).reshape(batch, channels, height, width)).flatten(2).transpose(1, 2)
        scores = self.query(tokens) @ self.key(keys).transpose(1, 2) / channels**0.5
        tokens = tokens + scores.softmax(-1) @ keys
        hidden = self.wide(tokens).transpose(1, 2).reshape(batch, -1, height, width)
        tokens = tokens + self.narrow(F.gelu(self.depthwise(hidden).flatten(2).transpose(1, 2)))
        logits: Tensor = self.classify(tokens.transpose(1, 2).reshape(batch, channels, height, width))
        return logits


def segformer(path: Path, classes: int, opset: int, axes: dict[str, Any] | None) -> tuple[nn.Module, Path]:
    torch.manual_seed(4)
    network = SegFormer(classes).eval()
    names = {"input_names": ["pixel_values"], "output_names": ["logits"], "dynamic_axes": axes}
    torch.onnx.export(network, (torch.rand(1, 3, 64, 64),), str(path), opset_version=opset, dynamo=False, **names)
    return network, path


VARYING = {name: {k: f"{name}{k}" for k in range(4)} for name in ("pixel_values", "logits")}


@pytest.mark.parametrize(
    ("classes", "opset", "axes", "size"),
    [(2, 17, None, None), (2, 12, VARYING, (64, 96)), (150, 14, VARYING, (96, 64))],
)
def test_a_segformer_of_any_size_becomes_one_of_this_size_with_its_mask_at_a_quarter(
    tmp_path: Path, classes: int, opset: int, axes: Any, size: tuple[int, int] | None
) -> None:
    network, path = segformer(tmp_path / "net.onnx", classes, opset, axes)
    person = 12 if classes == 150 else 1
    imagenet = PREPROCESSING["imagenet"]
    subject = opened(path, imagenet, size=size, person=person)
    height, width = size or (64, 64)
    image = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))
    graph = Deployable(network, imagenet, "rgb", PersonProbability("softmax", classes, person)).eval()
    with torch.no_grad():
        want = graph(image).numpy()
    assert want.shape == (1, 1, height // 4, width // 4)
    session = onnxruntime.InferenceSession(subject.model)
    np.testing.assert_allclose(session.run(None, {"image": image.numpy()})[0], want, atol=2e-6)
    model = onnx.ModelProto.FromString(subject.model)
    assert "Shape" not in [one.op_type for one in model.graph.node]
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph.value_info
    assert all(extent.dim_value > 0 for one in inferred for extent in one.type.tensor_type.shape.dim)


def graph(path: Path, nodes: list[Any], **constants: Any) -> Any:
    weights = [numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()]
    return onnx.load(made(path, nodes, weights=weights, outputs=[value("y", TensorProto.FLOAT, ANY)]))


def test_a_chain_of_shapes_is_known_and_its_end_is_what_a_constant_replaces(tmp_path: Path) -> None:
    nodes = [
        node("Relu", ["x"], ["r"]),
        node("Shape", ["r"], ["s"]),
        node("Gather", ["s", "two"], ["h"]),
        node("Concat", ["ends", "h", "h"], ["target"], axis=0),
        node("Reshape", ["r", "target"], ["y"]),
    ]
    model = graph(tmp_path / "net.onnx", nodes, two=np.array([2]), ends=np.array([1, 3]))
    assert known_values(model) == ["target"]
    fold(model, {"target": np.array([1, 3, 8, 8])})
    assert "target" not in model.graph.node[-1].input
    onnx.checker.check_model(model, full_check=True)


def picture_decides(tail: list[Any]) -> list[Any]:
    """The picture's largest value, as a whole number, and what is made of it."""
    top = [
        node("ReduceMax", ["x"], ["top"], keepdims=0),
        node("Cast", ["top"], ["n"], to=TensorProto.INT64),
        node("Unsqueeze", ["n", "zero"], ["count"]),
    ]
    return [*top, *tail]


DECIDED: dict[str, list[Any]] = {
    "a slice": [
        node("Slice", ["x", "zero", "count", "zero"], ["part"]),
        node("Shape", ["part"], ["s"]),
        node("Reshape", ["part", "s"], ["y"]),
    ],
    "places": [
        node("NonZero", ["x"], ["places"]),
        node("Shape", ["places"], ["s"]),
        node("Expand", ["x", "s"], ["y"]),
    ],
    "a range": [
        node("Squeeze", ["count", "zero"], ["n0"]),
        node("Range", ["nought", "n0", "one"], ["r"]),
        node("Shape", ["r"], ["s"]),
        node("Expand", ["x", "s"], ["y"]),
    ],
    "what follows a slice": [
        node("Slice", ["x", "zero", "count", "zero"], ["part"]),
        node("Relu", ["part"], ["after"]),
        node("Concat", ["after", "x"], ["both"], axis=0),
        node("Size", ["both"], ["s"]),
        node("Expand", ["x", "s"], ["y"]),
    ],
    "chance": [node("RandomNormal", [], ["s"], shape=[1, 3, 8, 8]), node("Add", ["x", "s"], ["y"])],
    "a like chance": [node("RandomUniformLike", ["zero"], ["s"]), node("Add", ["x", "s"], ["y"])],
}


@pytest.mark.parametrize("what", DECIDED)
def test_what_the_picture_or_chance_decides_is_not_known(tmp_path: Path, what: str) -> None:
    constants = {"zero": np.array([0]), "nought": np.array(0), "one": np.array(1)}
    assert known_values(graph(tmp_path / "net.onnx", picture_decides(DECIDED[what]), **constants)) == []


def test_a_constant_that_would_be_large_stays_computed(tmp_path: Path) -> None:
    nodes = [
        node("Expand", ["half", "shape"], ["plane"]),
        node("Add", ["x", "plane"], ["y"]),
    ]
    model = graph(tmp_path / "net.onnx", nodes, half=np.float32(0.5), shape=np.array([1, 3, 1024, 1024]))
    assert known_values(model) == ["plane"]
    before = model.SerializeToString()
    fold(model, {"plane": np.zeros((1, 3, 1024, 1024), np.float32)})
    assert model.SerializeToString() == before
