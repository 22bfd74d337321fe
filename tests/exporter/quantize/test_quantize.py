"""Ranges, quantizations and signal-to-noise ratios, checked against litert-quantizer's own and LiteRT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.tools import flatbuffer_utils

from segexport.compare.new_file import open_new
from segexport.pictures.files import draw_pictures
from segexport.quantize.quantizer import Quantizer
from segexport.tflite.graph import WEIGHTED, read_operators
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


def test_ranges_are_what_litert_quantizers_calibrator_finds(
    quantizer: Quantizer, pictures: npt.NDArray[np.float32]
) -> None:
    from litert_quantizer.calibrator import CalibrationMode, Calibrator

    ours = quantizer.measure(pictures)
    assert len(ours) == len(pictures)
    key, ends = next(iter(Interpreter(str(quantizer.prepared)).get_signature_list().items()))
    for index, picture in enumerate(pictures):
        mode = CalibrationMode.CALIBRATION_PROFILER_BASED  # the other one reads tensors that hold nothing, and raises
        theirs: Any = Calibrator(quantizer.prepared.read_bytes(), num_threads=2, mode=mode)
        theirs.calibrate({key: [{ends["inputs"][0]: picture[None]}]}, None)
        found = theirs.get_model_qsvs()
        assert set(found) == set(ours.names)
        for column, tensor in enumerate(ours.names):
            low, high = (found[tensor][end].item() for end in ("min", "max"))
            assert ours.low[index, column] == pytest.approx(low, abs=1e-6), tensor
            assert ours.high[index, column] == pytest.approx(high, abs=1e-6), tensor


def dtypes(path: Path) -> dict[str, Any]:
    plain = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    return {detail["name"]: detail["dtype"] for detail in plain.get_tensor_details()}


@pytest.mark.parametrize(
    ("precision", "image", "scale", "zero_point"),
    [("int8", np.uint8, 1 / 255, 0), ("int16x8", np.int16, 1 / 32767, 0), ("dynamic", np.float32, 0.0, 0)],
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


def kinds(path: Path) -> list[str]:
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    return [operator["op_name"] for operator in interpreter._get_ops_details()]


def int8_ranges(quantizer: Quantizer, pictures: npt.NDArray[np.float32]) -> Any:
    return quantizer.measure(pictures).with_image("image").with_mask("probability")


@pytest.mark.parametrize("layers", [slice(0), slice(0, 2), slice(-2, None)], ids=["no layer", "the first", "the last"])
def test_a_cameras_bytes_go_into_an_int8_file_and_bytes_come_out_whichever_layer_is_in_float(
    quantizer: Quantizer, pictures: npt.NDArray[np.float32], tmp_path: Path, layers: slice
) -> None:
    names = [operator.name for operator in read_operators(quantizer.prepared)[layers]]
    target = tmp_path / "a.tflite"
    quantizer.write(target, "int8", int8_ranges(quantizer, pictures), names)
    interpreter = Interpreter(str(target))
    (image,), (mask,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (image["dtype"], mask["dtype"]) == (np.uint8, np.uint8)
    assert (np.float32(image["quantization"][0]), image["quantization"][1]) == (np.float32(1 / 255), 0)
    assert mask["quantization"] == (1 / 256, 0)
    assert kinds(target).count("DELEGATE") == 1  # XNNPACK takes all of it at once
    contract = open_new(target).contract
    assert (contract.input.dtype, contract.output.dtype) == ("uint8", "uint8")


def test_an_int8_files_mask_is_float32s_within_a_step_of_its_output_on_most_pixels(
    quantizer: Quantizer, exported: Any, pictures: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    target = tmp_path / "a.tflite"
    quantizer.write(target, "int8", int8_ranges(quantizer, pictures))
    frame = np.rint(pictures[0, ..., ::-1] * 255).astype(np.uint8)
    clean, found = (
        s.probability(s.invoke(s.preprocess(frame))) for s in (load(exported.path("float32")), open_new(target))
    )
    assert clean.std() > 0.1
    assert np.abs(clean - found).mean() < 4 / 256


@pytest.fixture(scope="module")
def half(quantizer: Quantizer) -> Path:
    assert quantizer.write(quantizer.folder / "half.tflite", "float16") == ()
    return quantizer.folder / "half.tflite"


def test_float16_keeps_every_weight_in_half_precision_and_xnnpack_takes_it_whole(exported: Any, half: Path) -> None:
    halves = [name for name, kind in dtypes(half).items() if kind is np.float16]
    weighted = [operator for operator in read_operators(exported.path("float32")) if operator.weight_bytes]
    assert len(halves) >= len([operator for operator in weighted if operator.kind in WEIGHTED])
    assert half.stat().st_size < 0.7 * exported.path("float32").stat().st_size
    assert kinds(half).count("DELEGATE") == 1


def test_weights_beyond_float16_stay_in_float32(exported: Any, half: Path, tmp_path: Path) -> None:
    """They would be infinite; 65504 is the largest."""
    model = flatbuffer_utils.read_model(str(exported.path("float32")))
    graph = model.subgraphs[0]
    first = next(o for o in read_operators(exported.path("float32")) if o.kind == "CONV_2D")
    weights = graph.tensors[graph.operators[first.index].inputs[1]]
    values = np.frombuffer(bytes(model.buffers[weights.buffer].data), np.float32).copy()
    values[0] = -65505.0
    model.buffers[weights.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    large = tmp_path / "large.tflite"
    flatbuffer_utils.write_model(model, str(large))
    with Quantizer(float32=large, folder=tmp_path, limit_s=120, progress=silent) as quantizer:
        assert quantizer.write(tmp_path / "half.tflite", "float16") == (first.name,)
    kept = dtypes(tmp_path / "half.tflite")[weights.name.decode()]
    assert (kept, dtypes(half)[weights.name.decode()]) == (np.float32, np.float16)
    assert (
        list(dtypes(tmp_path / "half.tflite").values()).count(np.float16)
        == len([kind for kind in dtypes(half).values() if kind is np.float16]) - 1
    )
