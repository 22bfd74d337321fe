"""ONNX files that were made to do harm: refused in one line, before memory is taken."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from tests.exporter.subject.onnx_graphs import made, one_child, opened
from tests.refusals import refusal
from torch import nn

from segexport.errors import CheckpointError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True, scope="module")
def _one_child() -> Iterator[None]:
    with one_child():
        yield


@pytest.fixture(scope="module")
def real() -> bytes:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 1), nn.Sigmoid()).eval()
    buffer = io.BytesIO()
    torch.onnx.export(network, (torch.zeros(1, 3, 16, 16),), buffer, opset_version=18, dynamo=False)
    return buffer.getvalue()


def test_a_cut_file_is_refused(tmp_path: Path, real: bytes) -> None:
    data = real
    for length in (0, 1, 2, 10, 100, len(data) // 2, len(data) - 1):
        (tmp_path / "cut.onnx").write_bytes(data[:length])
        refusal((CheckpointError, ValueError), opened, tmp_path / "cut.onnx")


def weighted(path: Path, tensor: Any) -> Path:
    return made(path, [helper.make_node("Add", ["x", "w"], ["y"])], weights=[tensor])


def test_weights_that_lie_about_their_size_are_refused(tmp_path: Path) -> None:
    good = numpy_helper.from_array(np.ones((1, 3, 8, 8), np.float32), "w")
    for dims, message in {
        (2**31, 2**31): "has the shape",
        (-1,): "has the shape",
        (2**20,): "holds 192 values",
        (1, 1): "holds 192 values",
    }.items():
        tensor = TensorProto.FromString(good.SerializeToString())
        del tensor.dims[:]
        tensor.dims.extend(dims)
        with pytest.raises(CheckpointError, match=message):
            opened(weighted(tmp_path / "net.onnx", tensor))


def test_a_giant_tensor_is_refused_before_it_is_made(tmp_path: Path) -> None:
    shape = numpy_helper.from_array(np.array([1, 3, 2**20, 2**20], np.int64), "s")
    nodes = [helper.make_node("Slice", ["x", "b", "e"], ["c"]), helper.make_node("Expand", ["c", "s"], ["y"])]
    ends = [numpy_helper.from_array(np.array(v, np.int64), n) for n, v in (("b", [0] * 4), ("e", [1, 3, 1, 1]))]
    with pytest.raises(CheckpointError, match=r"makes a tensor of shape .* expected at most"):
        opened(made(tmp_path / "net.onnx", nodes, weights=[shape, *ends]))


def test_no_changed_byte_ends_in_anything_but_an_error_of_ours(tmp_path: Path, real: bytes) -> None:
    data = real
    generator = torch.Generator().manual_seed(3)
    places = torch.randint(len(data), (400,), generator=generator).tolist()
    for at, new in zip(places, torch.randint(256, (400,), generator=generator).tolist(), strict=True):
        (tmp_path / "bent.onnx").write_bytes(data[:at] + bytes([new]) + data[at + 1 :])
        try:
            opened(tmp_path / "bent.onnx")
        except (CheckpointError, ValueError) as error:
            assert "\n" not in str(error)  # noqa: PT017 - many changes only touch a weight
