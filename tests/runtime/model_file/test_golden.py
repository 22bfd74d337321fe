"""Golden pictures: what is stored in a model file and read back, and what a file says of itself with them."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests import messages
from tests.each_case import each_case
from tests.refusals import refusal

import segruntime
from segruntime import SelfTest, read_contract
from segruntime.errors import FrameError, GoldenError, ModelFileError
from segruntime.model_file.contract import Contract, stamp
from segruntime.model_file.entries import (
    _METADATA_PROPS,
    _fields,
    _flatbuffer_end,
    model_sha256,
    read_text,
    with_text,
)
from segruntime.model_file.golden import MOST_BYTES, GoldenPicture, as_stored, golden_text, read_golden, with_golden
from segruntime.model_file.png import decode_png, encode_png
from segruntime.model_file.self_test import FLOAT_BOUND, QUANTIZED_BOUND, PictureTest, bound_for
from segruntime.segmenter import BUNDLED

Array = npt.NDArray[Any]
SKIN, CLOTH, WALL = (110, 150, 210), (160, 60, 40), (90, 200, 190)


def contract_of(kind: str) -> Contract:
    contract = read_contract(BUNDLED[kind])
    assert contract is not None
    return contract


def without_golden(kind: str) -> bytes:
    """The bundled network with its contract, whatever else it carries."""
    model = BUNDLED[kind].read_bytes()
    if kind == "tflite":
        return stamp(model[: _flatbuffer_end(model)], contract_of(kind))
    parts = [model[start:end] for start, end, field in _fields(model) if field != _METADATA_PROPS]
    return stamp(b"".join(parts), contract_of(kind))


MODEL = {kind: without_golden(kind) for kind in BUNDLED}


def person(width: int, height: int, x: float = 0.5) -> npt.NDArray[np.uint8]:
    """Head and shoulders before a wall, `(height, width, 3) uint8, BGR`."""
    image = np.full((384, 384, 3), WALL, np.uint8)
    centre = int(384 * x)
    cv2.ellipse(image, (centre, 384), (120, 170), 0, 0, 360, CLOTH, -1)
    cv2.ellipse(image, (centre, 130), (52, 70), 0, 0, 360, SKIN, -1)
    cv2.ellipse(image, (centre, 100), (58, 60), 0, 180, 360, (40, 35, 30), -1)
    image = cv2.GaussianBlur(image, (0, 0), 2)
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def portraits() -> dict[str, npt.NDArray[np.uint8]]:
    """Of a real person: in a drawn one the bundled network sees nobody, whatever is done to the picture."""
    golden = read_golden(BUNDLED["onnx"])
    assert golden is not None
    frames = {one.name: one.frame for one in golden.pictures}
    return {"one": frames["to the waist"], "two": frames["portrait"]}


FRAMES = portraits()


def golden_of(segmenter: segruntime.Segmenter) -> list[GoldenPicture]:
    masks = {name: segmenter.network_mask(frame) for name, frame in FRAMES.items()}
    return [GoldenPicture(name=k, frame=FRAMES[k], reference=mask, made=mask) for k, mask in masks.items()]


def some(**changes: Any) -> GoldenPicture:
    mask = np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)
    return dataclasses.replace(
        GoldenPicture(name="some", frame=person(20, 30), reference=mask, made=mask[::-1].copy()), **changes
    )


@pytest.fixture(scope="module", params=["tflite", "onnx"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def golden(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled network with golden pictures inside."""
    path = tmp_path_factory.mktemp("golden") / f"portrait.{kind}"
    path.write_bytes(with_golden(MODEL[kind], golden_of(segruntime.load(BUNDLED[kind]))))
    return path


def changed(path: Path, **changes: Any) -> SelfTest:
    """The self test where the input's contract is wrong."""
    contract = read_contract(path)
    assert contract is not None
    wrong = dataclasses.replace(contract, input=dataclasses.replace(contract.input, **changes))
    return segruntime.load(path, contract=wrong).self_test()


# ── stored and read back ──────────────────────────────────────────────────────────────────────────────────────────────


def test_pictures_are_read_back_frames_to_the_byte_and_masks_to_1_510(kind: str, tmp_path: Path) -> None:
    path, written = tmp_path / "a", [some(name="größer"), some(name="two", frame=person(9, 7))]
    path.write_bytes(with_golden(MODEL[kind], written))
    found = read_golden(path)
    assert found is not None
    assert [one.name for one in found.pictures] == ["größer", "two"]
    for one, before in zip(found.pictures, written, strict=True):
        np.testing.assert_array_equal(one.frame, before.frame)
        for mask, original in ((one.reference, before.reference), (one.made, before.made)):
            assert (mask.dtype, mask.shape) == (np.float32, original.shape)
            assert np.abs(mask - original).max() <= 1 / 510 + 1e-7
    assert found.model_sha256 == model_sha256(MODEL[kind])


@each_case(
    ("shape", "stored"),
    [((128, 128), (128, 128)), ((256, 256), (128, 128)), ((300, 512), (75, 128)), ((1, 900), (1, 128))],
)
def test_a_mask_over_128_is_averaged_down(shape: tuple[int, int], stored: tuple[int, int]) -> None:
    mask = np.random.default_rng(0).random(shape, dtype=np.float32)
    small = as_stored(mask)
    assert small.shape == stored
    assert small.mean() == pytest.approx(mask.mean(), abs=0.01)
    np.testing.assert_array_equal(as_stored(small), small)


def test_what_is_no_number_stays_none() -> None:
    assert np.isnan(as_stored(np.full((2, 2), np.nan, np.float32))).all()


def test_a_file_without_golden_pictures_has_none(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(MODEL[kind])
    assert read_golden(path) is None


def test_stamping_a_contract_keeps_golden_pictures_and_the_other_way_round(kind: str, tmp_path: Path) -> None:
    model, other = MODEL[kind], dataclasses.replace(contract_of(kind), threshold=0.25)
    for name, data in {
        "a": stamp(with_golden(model, [some()]), other),
        "b": with_golden(stamp(model, other), [some()]),
        "c": stamp(with_golden(stamp(model, contract_of(kind)), [some(), some()]), other),
    }.items():
        path = tmp_path / name
        path.write_bytes(data)
        found = read_golden(path)
        assert read_contract(path) == other
        assert found is not None
        assert len(found.pictures) == (2 if name == "c" else 1)
        assert found.model_sha256 == model_sha256(data) == model_sha256(model)


def test_older_pictures_are_replaced_and_the_same_ones_give_the_same_bytes(kind: str) -> None:
    model = MODEL[kind]
    once = with_golden(model, [some()])
    assert with_golden(with_golden(model, [some(), some()]), [some()]) == once
    assert once.count(b"segedge.golden") == (
        3 if kind == "tflite" else 2
    )  # in a zip the name stands in the directory too


def test_other_files_in_the_zip_are_kept(tmp_path: Path) -> None:
    buffer = io.BytesIO(MODEL["tflite"])
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.txt", "person\n" * 50)
    path = tmp_path / "a.tflite"
    path.write_bytes(with_golden(buffer.getvalue(), [some()]))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt") == b"person\n" * 50
    assert read_contract(path) == contract_of("tflite")


def test_other_metadata_of_an_onnx_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(with_golden(with_text(MODEL["onnx"], "author", "somebody"), [some()]))
    assert read_text(path, "author") == "somebody"
    assert read_contract(path) == contract_of("onnx")


def test_an_entry_takes_at_most_150_000_bytes_in_the_file(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    model = MODEL[kind]
    assert 147_000 < len(with_golden(model, [some(frame=noise[:192, :192])])) - len(model) < 150_000
    with pytest.raises(
        GoldenError, match=rf"got 1 of \d+ bytes, expected 1 to 4 of at most {MOST_BYTES} bytes together"
    ):
        with_golden(model, [some(frame=noise)])


@each_case("count", [0, 5])
def test_none_and_more_than_four_are_refused(count: int) -> None:
    with pytest.raises(GoldenError, match=f"got {count} of"):
        with_golden(MODEL["onnx"], [some()] * count)


@each_case(
    ("change", "says"),
    [
        ({"frame": np.zeros((4, 4), np.uint8)}, r"frame: got \(4, 4\) uint8"),
        ({"frame": np.zeros((4, 4, 3), np.float32)}, r"frame: got \(4, 4, 3\) float32"),
        ({"frame": np.zeros((0, 4, 3), np.uint8)}, r"frame: got \(0, 4, 3\)"),
        ({"frame": np.zeros((4, 513, 3), np.uint8)}, "at most 512 on a side"),
        ({"made": np.zeros((6, 9), np.float32)}, "of one size"),
        ({"made": np.full((6, 8), np.nan, np.float32)}, "made holds NaN or infinity, expected a mask of numbers"),
        (
            {"reference": np.zeros((6, 8, 1), np.float32)},
            r"reference: got \(6, 8, 1\) float32, expected \(h, w\) float32",
        ),
        ({"name": "a\x1b[31m"}, "printable text"),
        ({"name": "a" * 101}, "at most 100 characters"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(change: dict[str, Any], says: str) -> None:
    with pytest.raises(FrameError, match=says):
        golden_text([some(**change)], "")


@each_case("shape", [(1, 1, 3), (7, 5, 3), (64, 96, 3), (1, 1), (128, 3)])
def test_a_png_is_lossless(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    np.testing.assert_array_equal(decode_png(encode_png(pixels), 3 if len(shape) == 3 else 1, 128), pixels)


# ── the self test ─────────────────────────────────────────────────────────────────────────────────────────────────────


@each_case("threads", [1, 2])
def test_on_the_machine_where_it_was_made_it_is_the_same_to_the_byte(golden: Path, threads: int) -> None:
    result = segruntime.load(golden, threads=threads).self_test()
    assert result.same
    assert not result.altered
    assert [one.name for one in result.pictures] == ["one", "two"]
    assert [(one.iou_made, one.max_difference, one.mean_difference) for one in result.pictures] == [(1.0, 0.0, 0.0)] * 2
    assert str(result) == (f"{messages.SAME_MASK}: IoU 1.0000 with it, 1.0000 with PyTorch (2 pictures)")


def test_the_mask_of_pytorch_is_reported_and_decides_nothing(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    none = [dataclasses.replace(one, reference=1 - one.made) for one in golden_of(segruntime.load(BUNDLED[kind]))]
    path.write_bytes(with_golden(MODEL[kind], none))
    result = segruntime.load(path).self_test()
    assert result.same
    assert max(one.iou_pytorch for one in result.pictures) < 0.01


def test_without_xnnpack_an_int8_file_still_gives_the_same_mask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import segruntime.backends.tflite as module

    golden = tmp_path / "a.tflite"
    golden.write_bytes(with_golden(MODEL["tflite"], golden_of(segruntime.load(BUNDLED["tflite"]))))

    real = module._allocate
    monkeypatch.setattr(module, "_allocate", lambda *args, **_: real(*args, delegates=False))
    result = segruntime.load(golden).self_test()
    assert result.same, str(result)
    assert max(one.max_difference for one in result.pictures) > 0, "other kernels round otherwise"


@each_case("change", [{"color": "bgr"}, {"interpolation": "nearest"}, {"resize": "letterbox"}])
def test_a_wrong_way_to_prepare_the_frame_is_another_mask(golden: Path, change: dict[str, Any]) -> None:
    result = changed(golden, **change)
    assert not result.same
    assert not result.altered
    sentence = str(result)
    assert sentence.startswith(f"{messages.OTHER_MASK}.")
    assert f"expected {result.bound} on each. Copy the file again" in sentence
    assert "\n" not in sentence


def test_one_changed_byte_of_the_weights_is_found_whatever_the_mask(golden: Path, tmp_path: Path) -> None:
    data = bytearray(golden.read_bytes())
    data[len(data) // 3] ^= 1
    path = tmp_path / "a"
    path.write_bytes(data)
    result = segruntime.load(path).self_test()
    assert (result.same, result.altered) == (False, True)
    assert str(result).startswith("not the model that the golden pictures were made with: its SHA-256 differs")


def test_the_pictures_of_another_file_are_not_its_own(tmp_path: Path) -> None:
    masks = golden_of(segruntime.load(BUNDLED["onnx"]))
    text = golden_text(masks, model_sha256(MODEL["onnx"]))
    path = tmp_path / "a.tflite"
    path.write_bytes(with_text(MODEL["tflite"], "segedge.golden", text))
    assert segruntime.load(path).self_test().altered


def test_pictures_of_another_size_and_none_are_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(with_golden(MODEL[kind], [some()]))
    said = refusal(ModelFileError, segruntime.load(path).self_test)
    assert "a: the mask of golden picture 'some' is (6, 8), this network gives (128, 128)" in said
    path.write_bytes(MODEL[kind])
    said = refusal(GoldenError, segruntime.load(path).self_test)
    assert "a: holds no golden pictures, so it cannot test itself; export the checkpoint again" in said


def test_loading_and_running_never_reads_them(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(with_text(MODEL[kind], "segedge.golden", "{"))
    segmenter = segruntime.load(path)
    assert segmenter.alpha(FRAMES["one"]).shape == FRAMES["one"].shape[:2]
    with pytest.raises(ModelFileError, match="golden pictures inside cannot be read"):
        segmenter.self_test()


def test_a_self_test_is_data_for_machines_as_well(golden: Path) -> None:
    body = json.loads(json.dumps(segruntime.load(golden).self_test().to_json(), allow_nan=False))
    assert body["same"] is True
    assert body["sentence"].startswith("same mask")
    assert body["bound"].keys() == {"mean_difference", "mask_iou"}
    assert [one["name"] for one in body["pictures"]] == ["one", "two"]


def test_float_files_are_held_closer_than_quantized_ones() -> None:
    for kind, bound in (("onnx", FLOAT_BOUND), ("tflite", QUANTIZED_BOUND)):
        contract = contract_of(kind)
        assert contract.conversion is not None
        assert bound_for(contract) is bound
        assert bound_for(dataclasses.replace(contract, conversion=None)) is bound
    dynamic = dataclasses.replace(contract_of("onnx").conversion, precision="dynamic")  # type: ignore[type-var]
    assert bound_for(dataclasses.replace(contract_of("onnx"), conversion=dynamic)) is QUANTIZED_BOUND
    assert FLOAT_BOUND.mean_difference < QUANTIZED_BOUND.mean_difference
    assert FLOAT_BOUND.mask_iou > QUANTIZED_BOUND.mask_iou


def row(**changes: float) -> PictureTest:
    good = {"iou_pytorch": 1.0, "iou_made": 1.0, "max_difference": 0.0, "mean_difference": 0.0, "changed_pixels": 0.0}
    return PictureTest(name="a", **{**good, **changes})


@each_case(
    ("one", "holds"),
    [
        (row(), True),
        (row(mean_difference=0.005), True),
        (row(mean_difference=0.0051), False),
        (row(iou_made=0.98, changed_pixels=0.002), False),
        (row(iou_made=0.0, changed_pixels=0.001), True),
        (row(max_difference=1.0, changed_pixels=0.001), True),
    ],
)
def test_a_bound_is_on_the_mean_and_on_the_iou_unless_hardly_a_pixel_changed(one: PictureTest, holds: bool) -> None:
    assert FLOAT_BOUND.holds(one) is holds
