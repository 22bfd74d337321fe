"""Checkpoint → files, end to end: what stands on disk, what each file says about itself, what happens over the bound."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from tests import messages

from segexport.compare.reference import Reference
from segexport.console import Console
from segexport.convert.converters import CONVERTERS
from segexport.errors import CheckpointError, ConversionError, MissingConverterError, MissingExtraError
from segexport.networks.families.unet import UNet
from segexport.options import Options
from segexport.pictures.files import draw_pictures
from segexport.pipeline import export
from segexport.precisions import PRECISIONS, Bound
from segexport.quantize.quantizer import Quantizer
from segruntime import load, read_contract
from segruntime.errors import install_command

QUIET = Console(quiet=True)


def options(exported: Any, output: Path, **changes: Any) -> Options:
    trained = exported.trained
    words = {"precisions": ("float32", "float16", "int8"), "calibration": trained.pictures, "size": (32, 32)}
    return Options(checkpoint=trained.checkpoint, output=output, **{**words, **changes})


def test_every_file_stands_under_its_name_and_nothing_else(exported: Any) -> None:
    assert sorted(path.name for path in exported.folder.iterdir()) == [
        "recipe.json",
        "reference.npz",
        "report.html",
        "report.json",
        "tiny.onnx",
        "tiny_float16.tflite",
        "tiny_float32.tflite",
        "tiny_int8.tflite",
    ]


def test_files_in_the_report_are_the_ones_on_disk(exported: Any) -> None:
    assert [row["precision"] for row in exported.body["files"]] == ["onnx", "float32", "float16", "int8"]
    for row in exported.body["files"]:
        data = (exported.folder / row["name"]).read_bytes()
        assert (row["sha256"], row["size_bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))
        seen = 20 if row["precision"] == "int8" else 12  # all that measure, or those on which int8 came off worst
        assert (row["kept"], row["within_bound"], row["pictures"]) == (True, True, seen)


@pytest.mark.parametrize("precision", ["onnx", "float32", "float16", "int8"])
def test_contract_in_the_file_tells_where_it_comes_from(exported: Any, precision: str) -> None:
    contract = read_contract(exported.path(precision))
    assert contract is not None
    assert contract.source is not None
    assert contract.conversion is not None
    weights = torch.load(exported.trained.checkpoint)
    counted = sum(t.numel() for k, t in weights.items() if not k.endswith(("num_batches_tracked", "mean", "var")))
    assert contract.source.checkpoint == "tiny.pth"
    assert contract.source.sha256 == hashlib.sha256(exported.trained.checkpoint.read_bytes()).hexdigest()
    assert (contract.source.architecture, contract.source.parameters) == ("unet", counted)
    assert (contract.source.preprocessing, contract.source.color) == ("imagenet", "rgb")
    assert contract.source.mean == (0.485, 0.456, 0.406)
    assert contract.conversion.precision == ("float32" if precision == "onnx" else precision)
    assert contract.conversion.calibration_count == (20 if precision == "int8" else 0)
    assert (contract.conversion.calibration_sha256 is None) == (precision != "int8")
    assert contract.conversion.float_layers == ()
    assert contract.conversion.tools["torch"].split("+")[0] == torch.__version__.split("+")[0]


@pytest.mark.parametrize("precision", ["onnx", "float32", "float16", "int8"])
def test_contract_in_the_file_states_the_reports_numbers(exported: Any, precision: str) -> None:
    contract, row = read_contract(exported.path(precision)), exported.row(precision)
    assert contract is not None
    assert contract.parity is not None
    for name in ("pictures", "max_difference", "mean_difference", "mask_iou", "changed_pixels", "boundary_f"):
        assert getattr(contract.parity, name) == row[name], name
    assert contract.parity.within_bound is True
    assert contract.parity.bound == row["bound_text"]
    assert contract.parity.picture_source == "pictures of the calibration folder that did not calibrate"


def test_input_and_output_of_every_file_are_the_same_but_for_layout_and_bytes(exported: Any) -> None:
    for precision in ("onnx", "float32", "float16", "int8"):
        contract = read_contract(exported.path(precision))
        assert contract is not None
        assert (contract.input.height, contract.input.width, contract.input.color) == (32, 32, "rgb")
        assert contract.input.value_range == (0.0, 1.0)
        assert contract.input.mean is None
        assert contract.input.layout == contract.output.layout == ("NCHW" if precision == "onnx" else "NHWC")
        assert (contract.output.meaning, contract.output.channels, contract.output.labels) == (
            "probability",
            1,
            ("person",),
        )
        assert contract.input.dtype == contract.output.dtype == ("uint8" if precision == "int8" else "float32")


def test_int8_takes_camera_bytes_as_they_are(exported: Any) -> None:
    details = Interpreter(str(exported.path("int8"))).get_input_details()[0]
    assert details["dtype"] == np.uint8
    assert np.float32(details["quantization"][0]) == np.float32(1 / 255)
    assert details["quantization"][1] == 0
    segmenter = load(exported.path("int8"))
    frame = np.arange(32 * 32 * 3, dtype=np.uint32).reshape(32, 32, 3).astype(np.uint8)
    np.testing.assert_array_equal(segmenter.preprocess(frame)[0], frame[:, :, ::-1])


def test_int8_runs_on_xnnpack(exported: Any) -> None:
    interpreter = Interpreter(str(exported.path("int8")))
    interpreter.allocate_tensors()
    assert "DELEGATE" in {op["op_name"] for op in interpreter._get_ops_details()}
    load(exported.path("int8"))  # without the warning that XNNPACK refused it, which would be an error here


def measured_again(exported: Any, precision: str) -> tuple[list[float], list[float], list[str]]:
    """IoU and share of changed pixels of each picture that the folder keeps, with numpy alone, and their names."""
    with np.load(exported.folder / "reference.npz", allow_pickle=False) as stored:
        frames, masks, names = stored["frames"], stored["masks"], [str(name) for name in stored["names"]]
    segmenter = load(exported.path(precision))
    ious, changed = [], []
    for frame, mask in zip(frames, masks, strict=True):
        hard, other = mask > 0.5, segmenter.alpha(frame) > 0.5
        ious.append(float((hard & other).sum() / (hard | other).sum()))
        changed.append(float((hard != other).mean()))
    return ious, changed, names


@pytest.mark.parametrize("precision", ["onnx", "float32", "float16"])
def test_numbers_of_float_files_can_be_measured_again_with_numpy(exported: Any, precision: str) -> None:
    ious, changed, _ = measured_again(exported, precision)
    row = exported.row(precision)
    assert row["mask_iou"] == pytest.approx(np.mean(ious), abs=1e-9)
    assert row["changed_pixels"] == pytest.approx(np.mean(changed), abs=1e-9)


def test_the_folder_keeps_the_pictures_on_which_int8_came_off_worst_the_worst_first(exported: Any) -> None:
    ious, _, names = measured_again(exported, "int8")
    row = exported.row("int8")
    assert ious == sorted(ious)
    assert (names[0], row["worst_iou"]) == (row["worst_picture"], pytest.approx(ious[0], abs=1e-9))
    # of 20 pictures 8 are not kept, and none of them is worse than any that is; sums in another order round differently
    others = (20 * row["mask_iou"] - sum(ious)) / 8
    assert ious[-1] - 1e-12 <= others <= 1 + 1e-12
    assert 0.95 <= row["mask_iou"] < 1


def test_reference_masks_are_pytorchs_own(exported: Any) -> None:
    network = UNet([4, 8])
    network.load_state_dict(torch.load(exported.trained.checkpoint))
    network.eval()
    with np.load(exported.folder / "reference.npz", allow_pickle=False) as stored:
        frames, masks, names = stored["frames"], stored["masks"], stored["names"]
    rgb = frames[..., ::-1] / 255
    images = (rgb - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with torch.inference_mode():
        expected = network(torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32))).sigmoid()[:, 0]
    np.testing.assert_allclose(masks, expected.numpy(), atol=1e-5)
    assert len(names) == 12
    assert set(names) <= {f"{k:02}.png" for k in range(1, 40, 2)}  # every second picture measures


def test_onnx_and_float32_agree_on_frames_of_any_size(exported: Any) -> None:
    onnx, tflite = load(exported.path("onnx")), load(exported.path("float32"))
    for frame in [*draw_pictures(2, size=97, seed=5), draw_pictures(1, seed=6)[0][:31, :200]]:
        np.testing.assert_allclose(onnx.alpha(frame), tflite.alpha(frame), atol=1e-3)


def tighten(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """No file can hold this."""
    kind = PRECISIONS[name]
    monkeypatch.setitem(PRECISIONS, name, replace(kind, bound=Bound(mask_iou=1.1)))


@pytest.mark.usefixtures("copied_converters")
def test_an_int8_file_that_cannot_be_made_costs_only_itself(
    exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segexport: Callable[..., Any]
) -> None:
    def crash(*_: Any) -> Any:
        raise ConversionError("half0.tflite: XNNPACK refuses it")

    monkeypatch.setattr(Quantizer, "write", crash)
    trained = exported.trained
    words = (trained.checkpoint, "--calibration", trained.pictures, "--size", 32, "--output", tmp_path / "out")
    ran = segexport("tflite", *words, "--precision", "float32,int8")
    assert ran.refusal == (
        "segexport: no int8 file: half0.tflite: XNNPACK refuses it. The other files are right and were kept"
    )
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"tiny.onnx", "tiny_float32.tflite", "report.json", "report.html", "reference.npz"}


@pytest.mark.usefixtures("copied_converters")
def test_a_file_over_its_bound_is_not_left_and_the_others_stay(
    exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segexport: Callable[..., Any]
) -> None:
    tighten(monkeypatch, "int8")
    trained = exported.trained
    words = (trained.checkpoint, "--calibration", trained.pictures, "--size", 32, "--output", tmp_path / "out")
    ran = segexport("tflite", *words, "--json")
    assert ran.refusal.startswith(f"segexport: tiny_int8.tflite: {messages.OTHER_THAN_PYTORCH}: largest difference 0.")
    assert f"mask IoU {exported.row('int8')['mask_iou']:.4f}" in ran.refusal
    assert "on 20 pictures" in ran.refusal
    assert "expected mask IoU at least 1.1" in ran.refusal
    assert "--max-iou-drop 2 leaves in float what int8 hurts" in ran.refusal
    assert "--allow-inaccurate keeps it" in ran.refusal
    names = {path.name for path in (tmp_path / "out").iterdir()}
    reports = {"report.json", "report.html", "reference.npz", "recipe.json"}
    assert names == {"tiny.onnx", "tiny_float32.tflite", "tiny_float16.tflite", *reports}
    body = json.loads(ran.out)
    assert {row["name"]: row["kept"] for row in body["files"]}["tiny_int8.tflite"] is False


@pytest.mark.usefixtures("copied_converters")
def test_allow_inaccurate_keeps_the_file_and_its_contract_says_so(
    exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segexport: Callable[..., Any]
) -> None:
    tighten(monkeypatch, "float32")
    trained = exported.trained
    words = (trained.checkpoint, "--precision", "float32", "--size", 32, "--output", tmp_path / "out")
    ran = segexport("tflite", *words, "--allow-inaccurate")
    assert ran.code == 0, ran.err
    assert "over, kept" in ran.out
    contract = read_contract(tmp_path / "out" / "tiny_float32.tflite")
    assert contract is not None
    assert contract.parity is not None
    assert contract.parity.within_bound is False
    assert contract.parity.picture_source == "drawn by segexport"
    again = segexport("verify", tmp_path / "out")
    assert f"tiny_float32.tflite: {messages.OTHER_THAN_PYTORCH}" in again.refusal


@pytest.mark.usefixtures("copied_converters")
def test_only_int8_leaves_no_float_file(exported: Any, tmp_path: Path) -> None:
    export(options(exported, tmp_path / "out", precisions=("int8",)), QUIET)
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".onnx", ".tflite", ".npz", ".json", ".html"}
    assert [path.name for path in (tmp_path / "out").glob("*.tflite")] == ["tiny_int8.tflite"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_give_no_numbers_are_refused_before_any_conversion(
    exported: Any, tmp_path: Path, value: float
) -> None:
    weights = torch.load(exported.trained.checkpoint)
    weights["final_conv.bias"][:] = value
    torch.save(weights, tmp_path / "broken.pth")
    chosen = Options(checkpoint=tmp_path / "broken.pth", output=tmp_path / "out", precisions=("int8",), size=(32, 32))
    with pytest.raises(CheckpointError, match=r"PyTorch gives NaN or infinite values for picture drawn 1"):
        export(chosen, QUIET)
    assert not (tmp_path / "out").exists()


def test_a_mask_without_anybody_is_said(exported: Any, tmp_path: Path, segexport: Callable[..., Any]) -> None:
    weights = torch.load(exported.trained.checkpoint)
    weights["final_conv.bias"][:] = -1000
    torch.save(weights, tmp_path / "nobody.pth")
    ran = segexport("onnx", tmp_path / "nobody.pth", "--size", 32, "--preprocess", "imagenet")
    assert "warning: PyTorch's own mask finds nobody in all 8 pictures" in ran.err
    assert ran.code == 0


@pytest.mark.parametrize(
    ("level", "doubt"), [(0.0, "finds nobody"), (0.49, "finds nobody"), (1.0, "takes everything for the person")]
)
def test_masks_that_are_all_one_thing_are_doubted(level: float, doubt: str) -> None:
    masks = np.full((2, 50, 50), level, np.float32)
    frames = np.zeros((2, 50, 50, 3), np.uint8)
    reference = Reference(frames=frames, masks=masks, names=("a", "b"), largest_logit=1.0)
    (sentence,) = reference.doubts()
    assert f"PyTorch's own mask {doubt} in all 2 pictures" in sentence
    masks[1, :25] = 1.0 - round(level)
    assert reference.doubts() == ()


@pytest.mark.parametrize("name", ["auto", *CONVERTERS])
def test_a_missing_converter_is_named_with_the_command_that_installs_it(
    exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("SEGEDGE_CONVERTERS", str(tmp_path / "nothing here"))
    command = "segexport setup" if name == "auto" else f"segexport setup {name}"
    with pytest.raises(MissingConverterError, match=rf"installed here: {command}$"):
        export(options(exported, tmp_path / "out", converter=name), QUIET)
    assert not (tmp_path / "out").exists()


def test_a_missing_quantizer_is_named_with_the_command_that_installs_it(
    exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copied_floats: None
) -> None:
    from segexport.process import child

    real = child.find_spec
    monkeypatch.setattr(child, "find_spec", lambda name: None if name == "litert_quantizer" else real(name))
    with pytest.raises(
        MissingExtraError, match=rf"litert_quantizer is not installed.*{re.escape(install_command('export'))}"
    ):
        export(options(exported, tmp_path / "out"), QUIET)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_layer_that_int8_cannot_hold_stays_in_float_and_is_named(
    exported: Any, tmp_path: Path, segexport: Callable[..., Any]
) -> None:
    weights = torch.load(exported.trained.checkpoint)
    # a bias of 1 next to weights of 1e-9: in steps of their scale it is larger than an int32
    weights["ups.0.weight"][:, 0] = 1e-9
    weights["ups.0.bias"][0] = 1.0
    torch.save(weights, tmp_path / "stiff.pth")
    words = ("--calibration", exported.trained.pictures, "--precision", "float32,int8", "--size", 32)
    ran = segexport("tflite", tmp_path / "stiff.pth", *words, "--output", tmp_path / "out", "--allow-inaccurate")
    assert ran.code == 0, ran.err
    contract = read_contract(tmp_path / "out" / "stiff_int8.tflite")
    assert contract is not None
    assert contract.conversion is not None
    (layer,) = contract.conversion.float_layers
    assert f"warning: int8: biases or weights of 1 layer do not fit into it, left in float: {layer}" in ran.err
    float32 = Interpreter(str(tmp_path / "out" / "stiff_float32.tflite"))
    names = {detail["index"]: detail["name"] for detail in float32.get_tensor_details()}
    (op,) = [op for op in float32._get_ops_details() if names.get(op["outputs"][0]) == layer]
    assert op["op_name"] == "TRANSPOSE_CONV"
    alpha = load(tmp_path / "out" / "stiff_int8.tflite").alpha(draw_pictures(1)[0])
    assert np.isfinite(alpha).all()


@pytest.mark.usefixtures("copied_converters")
def test_an_onnx_file_of_ours_is_converted_as_it_is(
    exported: Any, tmp_path: Path, segexport: Callable[..., Any]
) -> None:
    words = ("--precision", "float32", "--output", tmp_path / "out")
    ran = segexport("tflite", exported.path("onnx"), *words)
    assert ran.code == 0, ran.err
    assert "tiny.onnx against onnxruntime on 8 pictures" in ran.out
    before, after = read_contract(exported.path("onnx")), read_contract(tmp_path / "out" / "tiny_float32.tflite")
    assert before is not None
    assert after is not None
    assert after.source == before.source  # the checkpoint, not the file in between
    assert (after.input.layout, before.input.layout) == ("NHWC", "NCHW")


def test_an_onnx_file_of_others_needs_to_be_told_how_it_was_trained(
    exported: Any, tmp_path: Path, segexport: Callable[..., Any]
) -> None:
    import onnx

    model = onnx.load(exported.path("onnx"))
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "theirs.onnx")
    ran = segexport("onnx", tmp_path / "theirs.onnx", "--output", tmp_path / "out")
    assert ran.code == 2
    assert "says nothing about how its pictures were prepared; give --preprocess" in " ".join(ran.err.split())
    assert segexport("onnx", tmp_path / "theirs.onnx", "--output", tmp_path / "out", "--preprocess", "unit").code == 0
    assert segexport("onnx", tmp_path / "theirs.onnx", "--arch", "unet", "--preprocess", "unit").code == 2


def test_the_report_says_what_the_doctor_and_the_noise_found(exported: Any) -> None:
    body = exported.body
    assert body["doctor"]["usable"] == 40
    assert body["doctor"]["stability"]["pictures"] == 8
    assert 0.9 < body["doctor"]["stability"]["iou_between"] <= 1
    kinds = {operator["operator"] for operator in body["noise"]["operators"]}
    assert {"CONV_2D", "LOGISTIC"} <= kinds
    assert body["recipe"]["format"] == "segedge.recipe"
    assert body["budget"] is None
    assert body["rewrites"] == []  # a U-Net needs none
