"""Ranges, quantizations and signal-to-noise ratios, held against ai-edge-quantizer's own and LiteRT."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from segexport.convert.float16 import write_float16
from segexport.quantize.quantizer import Quantizer
from segexport.pictures import draw_pictures
from segexport.stamping import open_new
from segexport.tflite_graph import read_operators
from segruntime import load


def silent(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def pictures() -> npt.NDArray[np.float32]:
    drawn = [picture[::12, ::12, ::-1] for picture in draw_pictures(4, size=384, seed=5)]
    return (np.stack(drawn) / 255).astype(np.float32)


@pytest.fixture(scope="module")
def quantizer(exported: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quantizer]:
    folder = tmp_path_factory.mktemp("quantizer")
    with Quantizer(float32=exported.path("float32"), folder=folder, limit_s=120, progress=silent) as made:
        yield made


def test_ranges_are_what_ai_edge_quantizers_calibrator_finds(
    quantizer: Quantizer, pictures: npt.NDArray[np.float32]
) -> None:
    from ai_edge_quantizer import calibrator, recipe, recipe_manager

    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(recipe.static_wi8_ai8())
    ours = quantizer.measure(pictures)
    assert len(ours) == len(pictures)
    for index, picture in enumerate(pictures):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that keeping every tensor takes memory
            theirs = calibrator.Calibrator(quantizer.float32.read_bytes(), num_threads=2)
        interpreter = Interpreter(str(quantizer.float32))
        (key,) = interpreter.get_signature_list()
        (name,) = interpreter.get_signature_list()[key]["inputs"]
        theirs.calibrate({key: [{name: picture[None]}]}, manager)
        found = theirs.get_model_qsvs()
        assert set(found) == set(ours.names)
        for column, tensor in enumerate(ours.names):
            assert ours.low[index, column] == pytest.approx(found[tensor]["min"].item(), abs=1e-6), tensor
            assert ours.high[index, column] == pytest.approx(found[tensor]["max"].item(), abs=1e-6), tensor


def dtypes(path: Path) -> dict[str, Any]:
    plain = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    return {detail["name"]: detail["dtype"] for detail in plain.get_tensor_details()}


@pytest.mark.parametrize(
    ("precision", "image", "scale", "zero_point"),
    [("int8", np.int8, 1 / 255, -128), ("int16x8", np.int16, 1 / 32767, 0), ("dynamic", np.float32, 0.0, 0)],
)
def test_the_image_is_0_to_1_in_every_precision(
    quantizer: Quantizer,
    pictures: npt.NDArray[np.float32],
    tmp_path: Path,
    precision: str,
    image: type,
    scale: float,
    zero_point: int,
) -> None:
    target = tmp_path / "a.tflite"
    operators = read_operators(quantizer.float32)
    ranges = quantizer.measure(0.5 * pictures).with_image(operators[0].inputs[0])  # none of them reaches 1
    assert quantizer.write(target, precision, None if precision == "dynamic" else ranges) == ()
    details = Interpreter(str(target)).get_input_details()[0]
    assert details["dtype"] is image
    assert np.float32(details["quantization"][0]) == pytest.approx(np.float32(scale), rel=1e-6)
    assert details["quantization"][1] == zero_point


def test_layers_that_are_named_stay_in_float_and_no_others(
    quantizer: Quantizer, pictures: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    operators = read_operators(quantizer.float32)
    layers = [operators[-2].name, operators[-1].name]
    ranges = quantizer.measure(pictures).with_image(operators[0].inputs[0])
    quantizer.write(tmp_path / "a.tflite", "int8", ranges, layers)
    found = dtypes(tmp_path / "a.tflite")
    assert {name: found[name] for name in layers} == dict.fromkeys(layers, np.float32)
    assert found[operators[-3].name] is np.int8
    weights = [kind for name, kind in found.items() if kind is np.int8]
    assert len(weights) > 5


def test_noise_is_signal_power_over_the_power_of_the_error(
    quantizer: Quantizer, exported: Any, pictures: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    """For the output it can be measured by hand."""
    target = tmp_path / "a.tflite"
    quantizer.write(
        target, "int8", quantizer.measure(pictures).with_image(read_operators(quantizer.float32)[0].inputs[0])
    )
    found = quantizer.noise(target, pictures[:1])
    last = read_operators(quantizer.float32)[-1].name
    clean, noisy = load(exported.path("float32")), open_new(target)
    frame = np.rint(pictures[0, ..., ::-1] * 255).astype(np.uint8)
    a, b = (s.probability(s.invoke(s.preprocess(frame))).astype(np.float64) for s in (clean, noisy))
    by_hand = (a**2).mean() / ((a - b) ** 2).mean()
    assert found[last] == pytest.approx(by_hand, rel=0.02)
    assert len(found) >= len(read_operators(quantizer.float32))


def test_float16_keeps_every_weight_to_half_precision_and_the_mask(exported: Any, tmp_path: Path) -> None:
    target = tmp_path / "half.tflite"
    write_float16(exported.path("float32"), target)
    halves = [name for name, kind in dtypes(target).items() if kind is np.float16]
    weighted = [operator for operator in read_operators(exported.path("float32")) if operator.weight_bytes]
    assert len(halves) >= len(weighted)
    interpreter = Interpreter(str(target))
    interpreter.allocate_tensors()
    kinds = [operator["op_name"] for operator in interpreter._get_ops_details()]
    assert kinds.count("DELEGATE") == 1  # XNNPACK takes all of it at once


@pytest.mark.slow
def test_float16_serves_every_operator_that_shares_a_constant(
    tmp_path: Path, write_float32: Callable[[Path, Path], None]
) -> None:
    """One convolution at three places becomes one constant with three readers; as the patterns of unpools are."""
    import torch
    from torch import nn

    from segexport.convert.onnx_export import write_onnx

    class Thrice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.first, self.same = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
            self.last = nn.Conv2d(4, 1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.first(x)
            for _ in range(3):
                x = self.same(x).relu()
            out: torch.Tensor = self.last(x).sigmoid()
            return out

    whole, half = tmp_path / "a.tflite", tmp_path / "b.tflite"
    write_onnx(Thrice().eval(), 16, 24, tmp_path / "a.onnx")
    write_float32(tmp_path / "a.onnx", whole)
    write_float16(whole, half)
    image = np.random.default_rng(0).random((1, 16, 24, 3), np.float32)
    answers = []
    for path in (whole, half):
        interpreter = Interpreter(str(path))
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
        interpreter.invoke()
        answers.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
        reads = [index for operator in interpreter._get_ops_details() for index in operator["inputs"]]
        assert max(reads.count(index) for index in reads if index >= 0) >= 3  # the constant is shared
    assert answers[0].std() > 0.001
    np.testing.assert_allclose(answers[1], answers[0], atol=2e-3)


def test_float16_saturates_what_it_cannot_hold(tmp_path: Path) -> None:
    from segexport.convert.float16 import _LARGEST

    assert np.float16(_LARGEST) == np.float16(65504)
    assert np.isfinite(np.clip(np.float32([1e9, -1e9]), -_LARGEST, _LARGEST).astype(np.float16)).all()
