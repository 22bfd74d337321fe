"""What every converter's file becomes: ends, biases, products with constants, layouts; always the same numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from tests.refusals import refusal
from torch import Tensor, nn

from segexport.convert.trace.onnx_export import write_onnx
from segexport.errors import ConversionError
from segexport.tflite.flatbuffer import read_graph
from segexport.tflite.graph import Operator, read_operators
from segexport.tflite.settle import settle

HEIGHT, WIDTH = 16, 24
Convert = Callable[[nn.Module], Path]


class TwoClasses(nn.Module):
    """Ends as the head of two classes does; the converter gives `(1, 1, h, w)`."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.last(self.first(x).relu())
        return (scores[:, 1:2] - scores[:, 0:1]).sigmoid()


class Transposed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down, self.up, self.last = nn.Conv2d(3, 4, 2, 2), nn.ConvTranspose2d(4, 4, 2, 2), nn.Conv2d(4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.up(self.down(x).relu()).relu()).sigmoid()
        return out


class Tokens(nn.Module):
    """A linear layer on every pixel, as transformers have them."""

    def __init__(self, *, bias: bool) -> None:
        super().__init__()
        self.first, self.linear = nn.Conv2d(3, 6, 1), nn.Linear(6, 5, bias=bias)
        self.last = nn.Conv2d(5, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.first(x).flatten(2).transpose(1, 2)
        seen = self.linear(tokens).transpose(1, 2).reshape(1, 5, *x.shape[2:])
        out: Tensor = self.last(seen).sigmoid()
        return out


class Unpooled(nn.Module):
    """Comparisons and products that the converter leaves between transposes."""

    def __init__(self) -> None:
        super().__init__()
        self.pool, self.unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)
        self.first, self.inner, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        pooled, indices = self.pool(x)
        out: Tensor = self.last(self.unpool(self.inner(pooled).relu(), indices) + x).sigmoid()
        return out


@pytest.fixture
def convert(tmp_path: Path, write_float32: Callable[[Path, Path], None]) -> Convert:
    def run(network: nn.Module) -> Path:
        write_onnx(network, HEIGHT, WIDTH, tmp_path / "a.onnx")
        write_float32(tmp_path / "a.onnx", tmp_path / "a.tflite")
        return tmp_path / "a.tflite"

    return run


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(5)
    return make().eval()


def image() -> npt.NDArray[np.float32]:
    return np.random.default_rng(1).random((1, HEIGHT, WIDTH, 3), np.float32)


def run(path: Path) -> tuple[npt.NDArray[np.float32], dict[str, dict[str, list[str]]]]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image())
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"]), interpreter.get_signature_list()


def by_pytorch(network: nn.Module) -> npt.NDArray[np.float32]:
    with torch.inference_mode():
        mask = network(torch.from_numpy(image().transpose(0, 3, 1, 2).copy()))
    return np.asarray(mask.numpy()).transpose(0, 2, 3, 1)


def kinds(path: Path) -> Counter[str]:
    return Counter(operator.kind for operator in read_operators(path))


def behind(path: Path, kind: str) -> list[Operator]:
    operators = read_operators(path)
    made = {name for operator in operators if operator.kind == kind for name in operator.outputs}
    return [operator for operator in operators if made & set(operator.inputs)]


@pytest.mark.parametrize(
    "make", [TwoClasses, Transposed, Unpooled, lambda: Tokens(bias=True), lambda: Tokens(bias=False)]
)
def test_a_file_gives_pytorchs_numbers_at_its_ends_with_the_channel_last(
    convert: Convert, make: Callable[[], nn.Module]
) -> None:
    network = seeded(make)
    mask, signatures = run(convert(network))
    assert mask.shape == (1, HEIGHT, WIDTH, 1)
    assert signatures == {"serving_default": {"inputs": ["image"], "outputs": ["probability"]}}
    assert np.abs(mask - by_pytorch(network)).max() < 1e-6


def test_the_sigmoid_stays_the_last_operator_where_the_channel_was_in_front(convert: Convert) -> None:
    operators = read_operators(convert(seeded(TwoClasses)))
    assert operators[-1].kind == "LOGISTIC"
    assert operators[-1].name == "probability"


def test_a_transposed_convolution_holds_its_bias(convert: Convert) -> None:
    path = convert(seeded(Transposed))
    assert kinds(path)["ADD"] == 0
    (reader,) = behind(path, "TRANSPOSE_CONV")
    assert reader.kind == "CONV_2D"


@pytest.mark.parametrize("bias", [True, False])
def test_a_product_with_a_constant_is_a_layer_with_weights(convert: Convert, bias: bool) -> None:
    path = convert(seeded(lambda: Tokens(bias=bias)))
    found = kinds(path)
    assert (found["FULLY_CONNECTED"], found["BATCH_MATMUL"], found["ADD"]) == (1, 0, 0)
    graph = read_graph(path)
    read = {graph.tensor(index).buffer for operator in graph.operators for index in graph.inputs(operator)}
    stored = {number for number, buffer in enumerate(graph.model.buffers) if buffer.data is not None}
    assert stored - read == {entry.buffer for entry in graph.model.metadata}  # no matrix or bias as it was before


def test_nothing_is_turned_between_elementwise_operators(convert: Convert) -> None:
    found = kinds(convert(seeded(Unpooled)))
    assert found["TRANSPOSE"] == 0
    assert found["GREATER_EQUAL"] == found["LESS_EQUAL"] == 1


def test_a_settled_file_is_not_touched(convert: Convert) -> None:
    path = convert(seeded(TwoClasses))
    before = path.read_bytes()
    settle(path, "direct")
    assert path.read_bytes() == before


def test_a_file_that_is_none_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(b"PK\x03\x04" + bytes(60))
    assert refusal(ConversionError, settle, tmp_path / "a.tflite", "direct") == (
        "direct: made a file that starts with b'PK\\x03\\x04\\x00\\x00\\x00\\x00', expected a TFLite flatbuffer"
    )


def test_other_ends_are_refused_with_their_shapes(convert: Convert) -> None:
    class Classes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.only = nn.Conv2d(3, 5, 1)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.only(x)
            return out

    with pytest.raises(
        ConversionError, match=r"made \(1, 16, 24, 3\) in and \(1, 16, 24, 5\) out, expected one float32"
    ):
        convert(seeded(Classes))
