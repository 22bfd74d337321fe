"""What the quantizer reads instead of the float32 file, what stays in float, and what is said of it; on graphs made for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from segexport.quantize.delicate import ALONE, delicate
from segexport.quantize.floats import read_float_operators
from segexport.quantize.quantizer import Quantizer
from segexport.quantize.rewrites import REWRITES, write_prepared
from segexport.tflite.flatbuffer import Graph, set_options
from segexport.tflite.graph import Operator, read_operators

LOWEST = float(np.finfo(np.float32).min)
Floats = npt.NDArray[np.float32]


class Maker:
    """A .tflite that grows operator by operator, from an image `(1, side, side, 3)`."""

    def __init__(self, side: int = 8) -> None:
        model, graph = schema.ModelT(), schema.SubGraphT()
        model.version, model.subgraphs, model.operatorCodes, model.buffers = 3, [graph], [], [schema.BufferT()]
        graph.tensors, graph.operators = [], []
        self.graph, self.main = Graph(model), graph
        self.last = self.image = self.graph.add_tensor("image", (1, side, side, 3))

    def add(
        self, kind: str, *constants: npt.NDArray[Any], shape: Sequence[int] | None = None, options: Any = None
    ) -> int:
        """Behind the last one, or behind those given as 0-d integers; gives the output's index."""
        inputs = [self.last]
        for number, values in enumerate(constants):
            inputs.append(self.graph.add_constant(f"{kind}{len(self.main.tensors)}/{number}", values))
        return self.join(kind, inputs, shape=shape, options=options)

    def join(self, kind: str, inputs: list[int], shape: Sequence[int] | None = None, options: Any = None) -> int:
        output = self.graph.add_tensor(
            f"{kind.lower()}{len(self.main.operators)}", shape or self.graph.shape(inputs[0])
        )
        made = self.graph.operator(kind, inputs, output)
        if options is not None:
            set_options(made, options)
        self.main.operators.append(made)
        self.last = output
        return output

    def write(self, path: Path) -> Path:
        self.main.inputs, self.main.outputs = [self.image], [self.last]
        signature, ends = schema.SignatureDefT(), [schema.TensorMapT(), schema.TensorMapT()]
        for end, index in zip(ends, (self.image, self.last), strict=True):
            end.name, end.tensorIndex = self.graph.name(index).encode(), index
        signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
        signature.inputs, signature.outputs = [ends[0]], [ends[1]]
        self.graph.model.signatureDefs = [signature]
        self.graph.write(path)
        return path


def ran(path: Path, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    engine = Interpreter(str(path))
    engine.allocate_tensors()
    source, target = engine.get_input_details()[0], engine.get_output_details()[0]
    engine.set_tensor(
        source["index"], image if source["dtype"] == np.float32 else np.rint(image * 255).astype(np.uint8)
    )
    engine.invoke()
    found = engine.get_tensor(target["index"])
    scale, zero_point = target["quantization"]
    return found if found.dtype == np.float32 else (found.astype(np.float32) - zero_point) * scale


def images(count: int, side: int = 8) -> Floats:
    return (np.random.default_rng(7).integers(0, 256, (count, side, side, 3)) / 255).astype(np.float32)


def int8(float32: Path, folder: Path, side: int = 8) -> Path:
    with Quantizer(float32=float32, folder=folder, limit_s=120, progress=lambda _: None) as quantizer:
        assert (
            quantizer.write(folder / "int8.tflite", "int8", quantizer.measure(images(4, side)).with_image("image"))
            == ()
        )
    return folder / "int8.tflite"


def shuffled(path: Path, block: int, channels: int) -> Path:
    maker = Maker()
    weights = np.random.default_rng(1).standard_normal((block * block * channels, 1, 1, 3)).astype(np.float32)
    bias = np.zeros(len(weights), np.float32)
    maker.add("CONV_2D", weights, bias, shape=(1, 8, 8, len(weights)), options=convolution())
    options = schema.DepthToSpaceOptionsT()
    options.blockSize = block
    maker.add("DEPTH_TO_SPACE", shape=(1, 8 * block, 8 * block, channels), options=options)
    return maker.write(path)


def convolution() -> Any:
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    return options


@pytest.mark.parametrize(("block", "channels"), [(2, 1), (2, 3), (3, 2)])
def test_depth_to_space_as_a_transposition_gives_the_same_bits(block: int, channels: int, tmp_path: Path) -> None:
    whole = shuffled(tmp_path / "a.tflite", block, channels)
    assert write_prepared(whole, tmp_path / "b.tflite")
    kinds = [operator.kind for operator in read_operators(tmp_path / "b.tflite")]
    assert kinds == ["CONV_2D", "RESHAPE", "TRANSPOSE", "RESHAPE"]
    assert read_operators(tmp_path / "b.tflite")[-1].name == read_operators(whole)[-1].name
    for image in images(2):
        np.testing.assert_array_equal(ran(tmp_path / "b.tflite", image[None]), ran(whole, image[None]))


def test_a_rewritten_file_is_all_integers(tmp_path: Path) -> None:
    path = int8(shuffled(tmp_path / "a.tflite", 2, 3), tmp_path)
    floats = read_float_operators(path)
    assert (floats.count, floats.borders, str(floats)) == (0, 0, "all 4 operators in integers")


def test_a_file_without_such_operators_is_not_written_again(exported: Any, tmp_path: Path) -> None:
    assert not write_prepared(exported.path("float32"), tmp_path / "a.tflite")
    assert not (tmp_path / "a.tflite").exists()
    assert not {operator.kind for operator in read_operators(exported.path("float32"))} & set(REWRITES)


def test_padding_before_a_max_pool_costs_the_padded_numbers_no_range(tmp_path: Path) -> None:
    """All numbers are negative, so that a zero in the border would win; the lowest number has no place in int8's range."""
    maker = Maker()
    maker.add("MUL", np.float32([-1]), options=schema.MulOptionsT())
    sizes = np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32)
    maker.add("PADV2", sizes, np.float32([LOWEST]), shape=(1, 10, 10, 3), options=schema.PadV2OptionsT())
    options = schema.Pool2DOptionsT()
    options.padding = schema.Padding.VALID
    options.filterHeight = options.filterWidth = 3
    options.strideH = options.strideW = 1
    maker.add("MAX_POOL_2D", shape=(1, 8, 8, 3), options=options)
    whole = maker.write(tmp_path / "a.tflite")
    quantized = int8(whole, tmp_path)
    for image in images(3):
        wanted, found = ran(whole, image[None]), ran(quantized, image[None])
        assert wanted[0, 0].max() < -1e-3
        np.testing.assert_allclose(found, wanted, atol=1.5 / 255)


def normalised(path: Path) -> Path:
    """x → (x - mean) / sqrt(mean((x - mean)²) + 1e-5) · 2 + 1 over the channels."""
    maker = Maker()
    axis, keep = np.array([3], np.int32), schema.ReducerOptionsT()
    keep.keepDims = True
    source, one = maker.image, (1, 8, 8, 1)
    mean = maker.add("MEAN", axis, shape=one, options=keep)
    centred = maker.join("SUB", [source, mean], options=schema.SubOptionsT())
    maker.join("MUL", [centred, centred], options=schema.MulOptionsT())
    maker.add("MEAN", axis, shape=one, options=keep)
    maker.add("ADD", np.float32([1e-5]), options=schema.AddOptionsT())
    root = maker.add("SQRT")
    maker.join("DIV", [centred, root], options=schema.DivOptionsT())
    maker.add("MUL", np.float32([2]), options=schema.MulOptionsT())
    maker.add("ADD", np.float32([1]), options=schema.AddOptionsT())
    weights, bias = np.float32([[1, -2, 0.5], [0, 1, 1]]), np.zeros(2, np.float32)
    maker.add("CONV_2D", weights.reshape(2, 1, 1, 3), bias, shape=(1, 8, 8, 2), options=convolution())
    return maker.write(path)


def test_a_normalisation_stays_in_float_from_its_mean_to_its_shift(tmp_path: Path) -> None:
    whole = normalised(tmp_path / "a.tflite")
    operators = read_operators(whole)
    assert delicate(operators) == tuple(operator.name for operator in operators[:-1])
    quantized = int8(whole, tmp_path)
    floats = read_float_operators(quantized)
    assert floats.kinds == {"MEAN": 2, "SUB": 1, "MUL": 2, "ADD": 2, "SQRT": 1, "DIV": 1}
    assert (floats.operators, floats.borders, floats.border_bytes) == (10, 2, 2 * 4 * 8 * 8 * 3)
    assert str(floats).startswith("9 of 10 operators in float (2 MEAN, ")
    assert floats.to_json()["count"] == 9
    image = images(1)
    assert np.abs(ran(quantized, image) - ran(whole, image)).max() < 0.05 * np.ptp(ran(whole, image))


def operator(index: int, kind: str, inputs: Sequence[str]) -> Operator:
    name = f"t{index}"
    return Operator(index=index, kind=kind, name=name, inputs=tuple(inputs), outputs=(name,), weight_bytes=0)


def test_a_residual_sum_before_a_mean_is_no_part_of_the_normalisation() -> None:
    operators = [
        operator(0, "CONV_2D", ["image"]),
        operator(1, "CONV_2D", ["t0"]),
        operator(2, "ADD", ["t0", "t1"]),
        operator(3, "MEAN", ["t2"]),
        operator(4, "SUB", ["t2", "t3"]),
        operator(5, "DIV", ["t4", "t3"]),
        operator(6, "ADD", ["t5", "t2"]),
        operator(7, "CONV_2D", ["t6"]),
    ]
    assert delicate(operators) == ("t3", "t4", "t5")


@pytest.mark.parametrize("kind", sorted(ALONE))
def test_what_xnnpack_does_not_compute_in_integers_stays_in_float_alone(kind: str) -> None:
    operators = [operator(0, "CONV_2D", ["image"]), operator(1, kind, ["t0"]), operator(2, "CONV_2D", ["t1"])]
    assert delicate(operators) == ("t1",)


def test_weights_beyond_32_mib_are_quantized(tmp_path: Path) -> None:
    """litert-quantizer 0.11 alone refuses them."""
    maker, numbers, wide, many = Maker(side=1), np.random.default_rng(2), 15_000, 600  # 36 MB of weights
    for inputs, outputs in ((3, wide), (wide, many)):
        weights = numbers.standard_normal((outputs, 1, 1, inputs)).astype(np.float32)
        maker.add("CONV_2D", weights, np.zeros(outputs, np.float32), shape=(1, 1, 1, outputs), options=convolution())
    large = int8(maker.write(tmp_path / "large.tflite"), tmp_path, side=1)
    kinds = {detail["name"]: detail["dtype"] for detail in Interpreter(str(large)).get_tensor_details()}
    assert list(kinds.values()).count(np.float32) == 0
    image = images(1, 1)
    wanted = ran(tmp_path / "large.tflite", image)
    assert np.quantile(np.abs(ran(large, image) - wanted), 0.95) < 0.05 * np.abs(wanted).max()


def test_a_bias_beyond_int32_keeps_its_layer_in_float_and_its_numbers(tmp_path: Path) -> None:
    """litert-quantizer 0.11 alone lets the bias saturate, in silence."""
    maker = Maker()
    weights = np.zeros((2, 1, 1, 3), np.float32)
    weights[0], weights[1] = 1.0, 1e-9  # a dead channel: its steps are 1e-11 and its bias 1e11 of them
    maker.add("CONV_2D", weights, np.float32([0, 1]), shape=(1, 8, 8, 2), options=convolution())
    whole, target = maker.write(tmp_path / "a.tflite"), tmp_path / "int8.tflite"
    with Quantizer(float32=whole, folder=tmp_path, limit_s=120, progress=lambda _: None) as quantizer:
        ranges = quantizer.measure(images(4)).with_image("image")
        assert quantizer.write(target, "int8", ranges) == (read_operators(whole)[0].name,)
    image = images(1)
    np.testing.assert_allclose(ran(target, image), ran(whole, image), atol=3.1 / 255)
