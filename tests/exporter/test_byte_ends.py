"""uint8 at the ends of an int8 file: the same bits inside, the highest bit turned outside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from segexport.convert.byte_ends import write_byte_ends
from segexport.quantize.quantizer import Quantizer
from segexport.pictures import draw_pictures
from segexport.stamping import open_new
from segexport.tflite_graph import read_operators
from segruntime import load
from segruntime.tflite_check import check_tflite

PHOTOGRAPHS = Path(__file__).parents[3] / "shared" / "data" / "portraits" / "calibration" / "images"
SIDE = 32
RESOLVERS = [
    OpResolverType.AUTO,
    OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    OpResolverType.BUILTIN_REF,
]
Bytes = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def quantizer(exported: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quantizer]:
    folder = tmp_path_factory.mktemp("quantizer")
    with Quantizer(float32=exported.path("float32"), folder=folder, limit_s=120, progress=lambda _: None) as made:
        yield made


def quantized(quantizer: Quantizer, name: str, float_layers: list[str] | None = None) -> Path:
    drawn = [cv2.resize(picture, (SIDE, SIDE))[:, :, ::-1] for picture in draw_pictures(4, size=96, seed=5)]
    image = read_operators(quantizer.float32)[0].inputs[0]
    ranges = quantizer.measure((np.stack(drawn) / 255).astype(np.float32)).with_image(image)
    quantizer.write(quantizer.folder / name, "int8", ranges, float_layers or [])
    return quantizer.folder / name


@pytest.fixture(scope="module")
def int8(quantizer: Quantizer) -> Path:
    """As ai-edge-quantizer makes it."""
    return quantized(quantizer, "int8.tflite")


@pytest.fixture(scope="module")
def uint8(int8: Path) -> Path:
    write_byte_ends(int8, int8.with_name("uint8.tflite"))
    return int8.with_name("uint8.tflite")


def photographs() -> list[Bytes]:
    """`(1, 32, 32, 3) uint8, RGB` each."""
    if not PHOTOGRAPHS.is_dir():
        pytest.skip(f"needs the photographs in {PHOTOGRAPHS}")
    paths = sorted(PHOTOGRAPHS.iterdir())[:20]
    return [cv2.resize(cv2.imread(str(path)), (SIDE, SIDE))[None, :, :, ::-1].copy() for path in paths]


def every_byte() -> list[Bytes]:
    """12 permutations of a picture that holds each byte twelve times."""
    ramp = np.tile(np.arange(256, dtype=np.uint8), 12)
    return [np.random.default_rng(seed).permutation(ramp).reshape(1, SIDE, SIDE, 3) for seed in range(12)]


def interpreter(path: Path, resolver: Any) -> Any:
    made = Interpreter(str(path), experimental_op_resolver_type=resolver)
    made.allocate_tensors()
    return made


def ran(engine: Any, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
    engine.set_tensor(engine.get_input_details()[0]["index"], tensor)
    engine.invoke()
    return np.asarray(engine.get_tensor(engine.get_output_details()[0]["index"]))


@pytest.mark.parametrize("resolver", RESOLVERS, ids=lambda resolver: str(resolver.name))
@pytest.mark.parametrize("pictures", [photographs, every_byte])
def test_the_outputs_bytes_are_those_of_the_int8_file_with_the_highest_bit_turned(
    int8: Path, uint8: Path, pictures: Any, resolver: Any
) -> None:
    signed, unsigned = interpreter(int8, resolver), interpreter(uint8, resolver)
    seen = set()
    for picture in pictures():
        expected = ran(signed, (picture ^ 0x80).view(np.int8)).view(np.uint8) ^ 0x80
        found = ran(unsigned, picture)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, expected)
        seen |= set(np.unique(found).tolist())
    assert len(seen) > 100  # not one flat mask


def test_both_ends_stand_for_the_same_numbers_as_before(int8: Path, uint8: Path) -> None:
    signed, unsigned = interpreter(int8, RESOLVERS[0]), interpreter(uint8, RESOLVERS[0])
    for end in ("get_input_details", "get_output_details"):
        (before,), (after,) = getattr(signed, end)(), getattr(unsigned, end)()
        assert (before["dtype"], after["dtype"]) == (np.int8, np.uint8)
        assert before["quantization"] == (after["quantization"][0], after["quantization"][1] - 128)
        np.testing.assert_array_equal(before["shape"], after["shape"])
    scale, zero_point = unsigned.get_input_details()[0]["quantization"]
    assert (np.float32(scale), zero_point) == (pytest.approx(np.float32(1 / 255), rel=1e-6), 0)
    assert unsigned.get_output_details()[0]["quantization"] == (1 / 256, 0)


def test_the_signature_takes_and_gives_bytes_under_the_same_names(int8: Path, uint8: Path) -> None:
    signed, unsigned = interpreter(int8, RESOLVERS[0]), interpreter(uint8, RESOLVERS[0])
    assert signed.get_signature_list() == unsigned.get_signature_list()
    runner = unsigned.get_signature_runner()
    (taken,), (given,) = runner.get_input_details(), runner.get_output_details()
    picture = every_byte()[0]
    expected = ran(signed, (picture ^ 0x80).view(np.int8)).view(np.uint8) ^ 0x80
    np.testing.assert_array_equal(runner(**{taken: picture})[given], expected)


def test_every_operator_between_the_ends_keeps_its_kind_and_name(int8: Path, uint8: Path) -> None:
    before, after = read_operators(int8), read_operators(uint8)
    assert [(o.kind, o.name) for o in after[1:-1]] == [(o.kind, o.name) for o in before]
    assert (after[0].kind, after[-1].kind) == ("QUANTIZE", "QUANTIZE")
    assert (after[0].outputs, after[-1].inputs) == (before[0].inputs, before[-1].outputs)
    check_tflite(uint8)


def test_xnnpack_takes_all_that_it_took_before(int8: Path, uint8: Path) -> None:
    kinds = [[op["op_name"] for op in interpreter(path, RESOLVERS[0])._get_ops_details()] for path in (int8, uint8)]
    assert [names.count("DELEGATE") for names in kinds] == [1, 1]


def test_the_runtime_gives_the_same_alpha_from_either_file(int8: Path, uint8: Path) -> None:
    segmenters = [load(path, contract=open_new(path).contract) for path in (int8, uint8)]
    assert [s.contract.input.dtype for s in segmenters] == ["int8", "uint8"]
    for frame in draw_pictures(3, size=200, seed=9):
        signed, unsigned = (segmenter.alpha(frame) for segmenter in segmenters)
        np.testing.assert_array_equal(signed, unsigned)


@pytest.mark.parametrize("layers", [slice(0, 2), slice(-2, None)], ids=["first", "last"])
def test_ends_are_bytes_too_where_the_layers_beside_them_are_in_float(quantizer: Quantizer, layers: slice) -> None:
    """ai-edge-quantizer widens from and to int8 there."""
    float_layers = [operator.name for operator in read_operators(quantizer.float32)[layers]]
    path = quantized(quantizer, "partly_in_float.tflite", float_layers)
    picture = every_byte()[0]
    expected = ran(interpreter(path, RESOLVERS[0]), (picture ^ 0x80).view(np.int8)).view(np.uint8) ^ 0x80
    write_byte_ends(path, path)
    found = ran(interpreter(path, RESOLVERS[0]), picture)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)


def test_a_file_without_int8_ends_is_copied(exported: Any, uint8: Path, tmp_path: Path) -> None:
    for path in (exported.path("float32"), exported.path("float16"), uint8):
        write_byte_ends(path, tmp_path / "again.tflite")
        assert (tmp_path / "again.tflite").read_bytes() == path.read_bytes()
