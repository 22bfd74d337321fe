"""Small ONNX files, node by node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

from segexport.options import Options
from segexport.presets import PREPROCESSING, Preprocessing
from segexport.subject.foreign import open as onnx_open
from segexport.subject.foreign.child import Foreign
from segexport.subject.foreign.open import open_onnx_subject
from segexport.subject.foreign.subject import OnnxSubject

UNIT = PREPROCESSING["unit"]


def opened(path: Path, preprocessing: Preprocessing | None = UNIT, **options: Any) -> OnnxSubject:
    """As the command opens it."""
    return open_onnx_subject(Options(checkpoint=path, output=path.parent, precisions=(), **options), preprocessing)


def made(
    path: Path,
    nodes: list[Any],
    *,
    inputs: list[Any] | None = None,
    outputs: list[Any] | None = None,
    weights: list[Any] | None = None,
    domains: dict[str, int] | None = None,
) -> Path:
    graph = helper.make_graph(
        nodes,
        "g",
        inputs or [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        outputs or [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 4)],
        weights or [],
    )
    opsets = [helper.make_opsetid(name, version) for name, version in (domains or {"": 18}).items()]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    return path


def value(name: str, kind: int, shape: list[Any]) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def image(kind: int = TensorProto.FLOAT, shape: list[Any] | None = None) -> list[Any]:
    return [value("x", kind, [1, 3, 8, 8] if shape is None else shape)]


def relu(source: str = "x", target: str = "y") -> Any:
    return helper.make_node("Relu", [source], [target])


@contextmanager
def one_child() -> Iterator[None]:
    """`onnx_open` asks one child process for all files instead of one for each: a child starts in a third of a second."""
    foreign = Foreign()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_open, "Foreign", lambda: foreign)
        yield
    foreign.close()
