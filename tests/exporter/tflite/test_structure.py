"""Files with numbers that no arithmetic holds, each made for it: refused in one line that names the operator."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from segexport.errors import ConversionError
from segexport.quantize.quantizer import Quantizer
from segexport.tflite.flatbuffer import Graph
from segexport.tflite.graph import read_operators
from segexport.tflite.ranges import Ranges
from segexport.tflite.structure import check_ranges, check_structure

LOWEST = float(np.finfo(np.float32).min)
SOUND = [1e30, -1e30, 0.0, 1e-45]
BROKEN = [LOWEST, -LOWEST, 1.1e30, float("inf"), float("-inf"), float("nan")]


def add_tensor(model: Any, name: str, kind: int, data: npt.NDArray[Any] | None = None) -> int:
    """A tensor of four numbers; gives its index."""
    tensor, buffer = schema.TensorT(), schema.BufferT()
    buffer.data = None if data is None else np.frombuffer(data.tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor.name, tensor.type, tensor.shape = name, kind, [1, 2, 2, 1]
    tensor.buffer, tensor.quantization = len(model.buffers) - 1, schema.QuantizationParametersT()
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1


def add_operator(model: Any, kind: str, inputs: list[int], output: int) -> None:
    operator = schema.OperatorT()
    operator.opcodeIndex = Graph(model).code(kind, 1)
    operator.inputs, operator.outputs = inputs, [output]
    model.subgraphs[0].operators.append(operator)


def made(constant: npt.NDArray[Any], kind: int = schema.TensorType.FLOAT32, operator: str = "MAXIMUM") -> Any:
    """RELU, then `operator` with `constant`: an image in, a mask out."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.operatorCodes, model.buffers = 3, [graph], [], [schema.BufferT()]
    graph.tensors, graph.operators = [], []
    image = add_tensor(model, "image", schema.TensorType.FLOAT32)
    relu, held = add_tensor(model, "relu", schema.TensorType.FLOAT32), add_tensor(model, "held", kind, constant)
    mask = add_tensor(model, "mask", schema.TensorType.FLOAT32)
    add_operator(model, "RELU", [image], relu)
    add_operator(model, operator, [relu, held], mask)
    graph.inputs, graph.outputs = [image], [mask]
    return model


def refusal(model: Any, folder: Path) -> str | None:
    path = folder / "made.tflite"
    flatbuffer_utils.write_model(model, str(path))
    try:
        check_structure(path, "int8")
    except ConversionError as error:
        return str(error)
    return None


def test_a_constant_that_overflows_is_refused_in_one_line_that_names_the_operator(tmp_path: Path) -> None:
    assert refusal(made(np.float32([LOWEST]), operator="MAXIMUM"), tmp_path) == (
        "int8: operator 1, MAXIMUM 'mask', has a constant of -3.4e+38, expected finite numbers within ±1e+30; "
        "look for such weights in the checkpoint, else report this network"
    )


def test_custom_operators_that_a_converter_left_are_refused_by_name(tmp_path: Path) -> None:
    model = made(np.float32([1]))
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = "ONNX_GRIDSAMPLE"
    model.operatorCodes.append(code)
    model.subgraphs[0].operators[1].opcodeIndex = len(model.operatorCodes) - 1
    assert refusal(model, tmp_path) == (
        "int8: it left ONNX_GRIDSAMPLE as custom operators, expected operators of TFLite alone"
    )


@pytest.mark.parametrize("value", [LOWEST, float("-inf")])
def test_padding_with_the_lowest_number_is_what_a_max_pool_needs(value: float, tmp_path: Path) -> None:
    model = made(np.float32([value]), operator="PADV2")
    sizes = add_tensor(model, "sizes", schema.TensorType.INT32, np.int32([0, 1, 1, 0]))
    pad = model.subgraphs[0].operators[1]
    pad.inputs = [pad.inputs[0], sizes, pad.inputs[1]]
    assert refusal(model, tmp_path) is None


@pytest.mark.parametrize("operator", ["CONV_2D", "MAXIMUM"])
@pytest.mark.parametrize("value", BROKEN)
def test_a_constant_that_is_no_number_for_arithmetic_is_refused(value: float, operator: str, tmp_path: Path) -> None:
    told = refusal(made(np.float32([0.5, value, -2, 1]), operator=operator), tmp_path)
    assert told is not None
    assert told.startswith(f"int8: operator 1, {operator} 'mask', has a constant of {np.float32(value):.3g}, ")


@pytest.mark.parametrize(("dtype", "kind"), [("float16", "FLOAT16"), ("float64", "FLOAT64")])
def test_constants_of_every_float_type_are_read(dtype: str, kind: str, tmp_path: Path) -> None:
    number = getattr(schema.TensorType, kind)
    assert refusal(made(np.asarray([1, 2, 3, 4], dtype), number), tmp_path) is None
    told = refusal(made(np.asarray([1, 2, -np.inf, 4], dtype), number), tmp_path)
    assert told is not None
    assert "has a constant of -inf" in told


def test_numbers_up_to_the_bound_and_constants_of_integers_are_let_through(tmp_path: Path) -> None:
    assert refusal(made(np.float32(SOUND)), tmp_path) is None
    assert (
        refusal(made(np.int32([-1, 2**31 - 1, 0, 0]), schema.TensorType.INT32), tmp_path) is None
    )  # read as floats: NaN


@pytest.mark.parametrize("what", ["scale", "min", "max"])
@pytest.mark.parametrize("value", BROKEN)
def test_a_quantization_range_that_is_not_finite_is_refused(what: str, value: float, tmp_path: Path) -> None:
    model = made(np.float32([1]))
    quantization = model.subgraphs[0].tensors[1].quantization
    setattr(quantization, what, np.float32([0.5, value]))
    quantization.zeroPoint = np.int64([0, 0])
    told = refusal(model, tmp_path)
    assert told is not None
    assert told.startswith(f"int8: operator 0, RELU 'relu', has a quantization {what} of {np.float32(value):.3g}, ")
    setattr(quantization, what, np.float32([0.5, 1e29]))
    assert refusal(model, tmp_path) is None


def test_the_second_subgraph_is_read_too(tmp_path: Path) -> None:
    model, other = made(np.float32([1])), made(np.float32([np.inf]))
    for tensor in other.subgraphs[0].tensors:
        tensor.buffer += len(model.buffers)
    model.buffers += other.buffers
    model.subgraphs += other.subgraphs
    told = refusal(model, tmp_path)
    assert told is not None
    assert "MAXIMUM 'mask', has a constant of inf" in told


@pytest.mark.parametrize("value", BROKEN)
def test_a_measured_range_that_is_not_finite_names_the_first_operator_that_gave_it(
    value: float, tmp_path: Path
) -> None:
    path = tmp_path / "made.tflite"
    flatbuffer_utils.write_model(made(np.float32([1])), str(path))
    low, high = np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)
    ranges = Ranges(names=("mask", "image", "relu"), low=low, high=high)
    check_ranges(ranges, path, "calibration")
    high[1, 2] = high[0, 0] = value
    with pytest.raises(ConversionError, match=re.escape(f"operator 0, RELU 'relu', gives {np.float32(value):.3g}, ")):
        check_ranges(ranges, path, "calibration")


def test_a_network_whose_numbers_overflow_on_the_pictures_is_named_before_it_is_quantized(
    exported: Any, tmp_path: Path
) -> None:
    """A real file with one weight that is large but no more than that."""
    path = tmp_path / "large.tflite"
    model = flatbuffer_utils.read_model(str(exported.path("float32")))
    convolutions = [o for o in read_operators(exported.path("float32")) if o.kind == "CONV_2D"][1:3]
    for operator in convolutions:
        weights = model.subgraphs[0].tensors[model.subgraphs[0].operators[operator.index].inputs[1]]
        data = np.frombuffer(bytes(model.buffers[weights.buffer].data), np.float32).copy()
        data[:] = 1e29
        model.buffers[weights.buffer].data = np.frombuffer(data.tobytes(), np.uint8)
    flatbuffer_utils.write_model(model, str(path))
    pictures = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    check_structure(path, "TFLite")
    with (
        Quantizer(float32=path, folder=tmp_path, limit_s=120, progress=lambda _: None) as quantizer,
        pytest.raises(ConversionError, match=r"^calibration: operator \d+, CONV_2D '.*', gives (inf|nan|\d.*e\+3\d), "),
    ):
        quantizer.measure(pictures)
