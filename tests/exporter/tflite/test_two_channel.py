"""`--head two-channel`: background and person, where the person's channel is the one-channel file's, bit for bit."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils

from segexport.options import parse_head
from segexport.pictures.files import draw_pictures
from segexport.tflite.two_channel import write_two_channels
from segruntime import load, read_contract
from segruntime.model_file.entries import without_archive

KINDS = {"UINT8": (np.uint8, 1 / 256, 0), "INT8": (np.int8, 1 / 256, -128), "INT16": (np.int16, 1 / 32768, 0)}


def run(data: bytes, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    engine = Interpreter(model_content=data)
    engine.allocate_tensors()
    engine.set_tensor(engine.get_input_details()[0]["index"], image)
    engine.invoke()
    return np.asarray(engine.get_tensor(engine.get_output_details()[0]["index"]))


def passes_on(kind: str, scale: float, zero_point: int, folder: Path) -> Path:
    """A file whose probability is its input: a RESHAPE to the same shape, of this type; `(1, 16, 16, 1)`."""
    model, graph, operator = schema.ModelT(), schema.SubGraphT(), schema.OperatorT()
    model.version, model.buffers, model.subgraphs, model.operatorCodes = 3, [schema.BufferT()], [graph], []
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESHAPE
    code.version = 1
    model.operatorCodes.append(code)
    graph.tensors, graph.inputs, graph.outputs = [], [0], [1]
    for name in (b"in", b"out"):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, [1, 16, 16, 1], 0
        tensor.type = getattr(schema.TensorType, kind)
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = np.array([scale], np.float32)
        tensor.quantization.zeroPoint = np.array([zero_point], np.int64)
        graph.tensors.append(tensor)
    options = schema.ReshapeOptionsT()
    options.newShape = [1, 16, 16, 1]
    operator.builtinOptions, operator.builtinOptionsType = options, schema.BuiltinOptions.ReshapeOptions
    operator.inputs, operator.outputs, operator.opcodeIndex = [0], [1], 0
    graph.operators = [operator]
    path = folder / f"{kind}.tflite"
    flatbuffer_utils.write_model(model, str(path))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_quantized_background_is_one_minus_the_person_to_the_nearest_step(kind: str, tmp_path: Path) -> None:
    dtype, scale, zero_point = KINDS[kind]
    path = passes_on(kind, scale, zero_point, tmp_path)
    write_two_channels(path)
    limits = np.iinfo(dtype)
    lowest = max(limits.min, zero_point)
    stored = np.linspace(lowest, limits.max, 256).round().astype(dtype).reshape(1, 16, 16, 1)
    found = run(path.read_bytes(), stored)
    assert found.shape == (1, 16, 16, 2)
    assert np.array_equal(found[..., 1:], stored)
    exact = (1 - scale * (stored.astype(np.float64) - zero_point)) / scale + zero_point
    wanted = np.clip(np.rint(exact), limits.min, limits.max)
    assert np.abs(found[..., :1].astype(np.float64) - wanted).max() <= (1 if kind == "INT16" else 0)


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_the_person_is_the_one_channel_files_bit_for_bit(precision: str, exported: Any, tmp_path: Path) -> None:
    before = exported.path(precision)
    path = tmp_path / "two.tflite"
    path.write_bytes(without_archive(before.read_bytes()))
    write_two_channels(path)
    segmenter = load(before)
    for frame in draw_pictures(3, size=96, seed=4):
        tensor = segmenter.preprocess(frame)
        one, two = segmenter.invoke(tensor).copy(), run(path.read_bytes(), tensor)
        assert two.shape[3] == 2
        assert np.array_equal(one, two[..., 1:])
        if precision != "int8":
            assert np.array_equal(1 - one, two[..., :1])


def test_an_onnx_file_keeps_its_names_and_its_mask(exported: Any, tmp_path: Path) -> None:
    import onnxruntime

    path = tmp_path / "two.onnx"
    path.write_bytes(exported.path("onnx").read_bytes())
    write_two_channels(path)
    one, two = (onnxruntime.InferenceSession(str(file)) for file in (exported.path("onnx"), path))
    assert [value.name for value in two.get_outputs()] == [value.name for value in one.get_outputs()]
    assert two.get_outputs()[0].shape == [1, 2, *one.get_outputs()[0].shape[2:]]
    image = np.random.default_rng(2).random((1, 3, 32, 32), np.float32)
    (person,), (both,) = (session.run(None, {"image": image}) for session in (one, two))
    assert np.array_equal(both[:, 1:], person)
    assert np.array_equal(both[:, :1], 1 - person)


def test_the_command_gives_proven_files_with_two_channels(
    segexport: Callable[..., Any], copied_converters: None, exported: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ["--calibration", exported.trained.pictures, "--size", 32, "--output", out, "--json"]
    ran = segexport("tflite", exported.trained.checkpoint, *words, "--head", "two-channel")
    assert ran.code == 0, ran.err
    for row in json.loads(ran.out)["files"]:
        path = out / row["name"]
        contract = read_contract(path)
        assert contract is not None
        output = contract.output
        assert (output.channels, output.person_channel, output.labels) == (2, 1, ("background", "person"))
        assert row["mask_iou"] == exported.row(row["precision"])["mask_iou"]
        assert load(path).self_test().same
        if path.suffix == ".tflite":
            with zipfile.ZipFile(path) as archive:
                assert archive.read("labels.txt") == b"background\nperson\n"
    assert segexport("verify", out).code == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two-channel", ("auto", True)),
        ("person", ("auto", False)),
        ("none", ("none", False)),
        ("softmax, two-channel", ("softmax", True)),
        ("person,sigmoid", ("sigmoid", False)),
    ],
)
def test_head_says_how_the_network_ends_and_what_the_file_gives(text: str, expected: tuple[str, bool]) -> None:
    assert parse_head(text) == expected


@pytest.mark.parametrize("text", ["", "two", "person,two-channel", "sigmoid,none", "none,none", "none,"])
def test_a_head_that_is_none_of_them_is_refused_with_all_of_them(text: str) -> None:
    with pytest.raises(ValueError, match=r"auto, sigmoid, softmax, none .* person, two-channel"):
        parse_head(text)
