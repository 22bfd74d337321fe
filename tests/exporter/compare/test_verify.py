"""Comparing an export again, on a machine that has the runtime only."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests import messages
from tests.exporter.loaded import run_and_list
from tests.refusals import refusal

from segexport.compare.verify import require_all_within, verify_folder
from segexport.errors import InaccurateError, OutputError
from segexport.pictures.files import draw_pictures
from segexport.stamp.golden import GoldenChoice, golden_pictures
from segruntime import load, read_contract
from segruntime.errors import MissingExtraError
from segruntime.model_file.contract import stamp
from segruntime.model_file.entries import _flatbuffer_end
from segruntime.model_file.golden import read_golden, with_golden


def silent(_: str) -> None:
    pass


def change_report(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    body = json.loads((folder / "report.json").read_text())
    change(body)
    (folder / "report.json").write_text(json.dumps(body))


def change_reference(folder: Path, **changes: Any) -> None:
    with np.load(folder / "reference.npz", allow_pickle=False) as stored:
        arrays = dict(stored)
    arrays.update({name: change(arrays[name]) for name, change in changes.items()})
    np.savez_compressed(folder / "reference.npz", **arrays)


def test_an_export_passes_and_gives_the_same_numbers_for_what_it_kept(exported: Any) -> None:
    found = verify_folder(exported.folder, silent)
    rows, skipped = found.rows, found.skipped
    require_all_within(rows)
    assert skipped == ()
    assert [row.precision for row in rows] == ["onnx", "float32", "float16", "int8"]
    for row in rows:
        assert row.pictures == 12
        assert row.within_bound
        assert row.max_difference <= exported.row(row.precision)["max_difference"] + 1e-6


def test_it_runs_without_torch_and_without_any_converter(exported: Any) -> None:
    heavy = "torch", "onnx", "onnx2tf", "onnxscript", "tensorflow", "litert_quantizer"
    printed, loaded = run_and_list(["verify", str(exported.folder), "--json"], *heavy)
    assert loaded == []
    body = json.loads(printed)
    assert [row["within_bound"] for row in body["files"]] == [True] * 4


def test_the_folder_is_left_as_it_was(exported: Any, folder: Path) -> None:
    verify_folder(folder, silent)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        p.name: p.read_bytes() for p in exported.folder.iterdir()
    }


def test_another_model_under_the_name_is_refused(folder: Path, segexport: Callable[..., Any]) -> None:
    shutil.copy(folder / "tiny_float16.tflite", folder / "tiny_float32.tflite")
    ran = segexport("verify", folder)
    assert ran.refusal == (
        f"segexport: {folder / 'tiny_float32.tflite'}: is not the file that was exported (its SHA-256 differs); "
        "copy it again or export again"
    )


def test_another_model_whose_digest_was_put_into_the_report_fails_with_numbers(
    folder: Path, segexport: Callable[..., Any]
) -> None:
    other = (folder / "tiny_int8.tflite").read_bytes()
    (folder / "tiny_float32.tflite").write_bytes(other)

    def forge(body: dict[str, Any]) -> None:
        body["files"][1]["sha256"] = hashlib.sha256(other).hexdigest()

    change_report(folder, forge)
    ran = segexport("verify", folder, "--json")
    assert ran.refusal.startswith(
        f"segexport: tiny_float32.tflite: {messages.OTHER_THAN_PYTORCH}: largest difference 0."
    )
    assert ran.refusal.endswith("expected largest difference at most 0.001")
    assert [row["within_bound"] for row in json.loads(ran.out)["files"]] == [True, False, True, True]


def test_altered_reference_masks_fail_every_file(folder: Path) -> None:
    change_reference(folder, masks=lambda masks: 1 - masks)
    rows = verify_folder(folder, silent).rows
    assert [row.within_bound for row in rows] == [False] * 4
    assert refusal(InaccurateError, require_all_within, rows).count(messages.OTHER_THAN_PYTORCH) == 4


def test_masks_of_nan_are_no_reference(folder: Path) -> None:
    change_reference(folder, masks=lambda masks: np.full_like(masks, np.nan))
    with pytest.raises(OutputError, match=rf"{messages.NO_REFERENCE} \(masks hold NaN or infinity"):
        verify_folder(folder, silent)


def test_a_missing_file_is_named(folder: Path, segexport: Callable[..., Any]) -> None:
    (folder / "tiny_float16.tflite").unlink()
    ran = segexport("verify", folder)
    assert "tiny_float16.tflite: is in the report and not in the folder; export again" in ran.refusal


def test_a_file_that_was_over_its_bound_is_not_looked_for(folder: Path) -> None:
    (folder / "tiny_int8.tflite").unlink()
    change_report(folder, lambda body: body["files"][3].update(kept=False))
    rows = verify_folder(folder, silent).rows
    assert [row.precision for row in rows] == ["onnx", "float32", "float16"]


@pytest.mark.parametrize("make", [lambda folder: folder.mkdir(), lambda folder: None])
def test_a_folder_without_a_report_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "there")
    with pytest.raises(
        OutputError, match=r"there: no report\.json in it, expected a folder that `segexport onnx\|tflite`"
    ):
        verify_folder(tmp_path / "there", silent)


def test_files_whose_interpreter_is_missing_are_left_out_and_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, segexport: Callable[..., Any]
) -> None:
    import segexport.compare.verify as module

    real = module.load

    def without_onnx(path: Path, **options: Any) -> Any:
        if path.suffix == ".onnx":
            raise MissingExtraError("an .onnx file", "onnxruntime", "onnx")
        return real(path, **options)

    monkeypatch.setattr(module, "load", without_onnx)
    ran = segexport("verify", folder, "--json")
    assert ran.code == 0
    assert "warning: left out: tiny.onnx: an .onnx file needs onnxruntime" in ran.err
    body = json.loads(ran.out)
    assert len(body["files"]) == 3
    assert len(body["skipped"]) == 1


def test_nothing_that_could_be_compared_is_no_success(folder: Path) -> None:
    change_report(folder, lambda body: body.update(files=[]))
    with pytest.raises(OutputError, match="no file could be compared: the report lists none"):
        verify_folder(folder, silent)


def test_a_name_that_leads_out_of_the_folder_is_looked_for_inside(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.onnx"
    shutil.copy(folder / "tiny.onnx", outside)
    change_report(folder, lambda body: body["files"][0].update(name="../outside.onnx"))
    with pytest.raises(OutputError, match=r"copy/outside\.onnx: is in the report and not in the folder"):
        verify_folder(folder, silent)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_cut_reference_is_refused(folder: Path, share: float, segexport: Callable[..., Any]) -> None:
    data = (folder / "reference.npz").read_bytes()
    (folder / "reference.npz").write_bytes(data[: int(len(data) * share)])
    ran = segexport("verify", folder)
    assert ran.refusal.startswith(f"segexport: {folder / 'reference.npz'}: the {messages.NO_REFERENCE} (")
    assert ran.refusal.endswith("export the checkpoint again")
    assert ran.err.count("\n") == 1


# ── one file, with the golden pictures inside ─────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def golden_file(exported: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The int8 file with the pictures that segexport draws; its own masks stand for PyTorch's."""
    path = Path(shutil.copy(exported.path("int8"), tmp_path_factory.mktemp("golden")))
    frames = tuple(cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA) for picture in draw_pictures(2))
    masks = np.stack([load(path).network_mask(frame) for frame in frames])
    choice = GoldenChoice(names=("drawn 1", "drawn 2"), frames=frames, masks=masks)
    path.write_bytes(with_golden(path.read_bytes(), golden_pictures(choice, load(path))))
    return path


def test_a_file_says_that_it_gives_the_same_mask(golden_file: Path, segexport: Callable[..., Any]) -> None:
    ran = segexport("verify", golden_file)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == f"{golden_file} on the golden pictures inside"
    assert [line.split()[:5] for line in lines if line.startswith(" drawn") or line.startswith("drawn")] == [
        ["drawn", "1", "1.0000", "1.0000", "0.0e+00"],
        ["drawn", "2", "1.0000", "1.0000", "0.0e+00"],
    ]
    assert lines[-1] == f"{messages.SAME_MASK}: IoU 1.0000 with it, 1.0000 with PyTorch (2 pictures)"
    assert max(map(len, lines[1:-1])) <= 80


def test_a_file_needs_neither_torch_nor_rich_nor_a_converter(golden_file: Path) -> None:
    blocked = "torch", "onnx", "onnx2tf", "onnxscript", "tensorflow", "litert_quantizer", "rich", "onnxruntime"
    script = (
        f"import sys; sys.argv = ['segexport', 'verify', {str(golden_file)!r}]\n"
        f"sys.modules.update(dict.fromkeys({blocked!r}))  # importing one raises ImportError\n"
        "from segexport.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(messages.SAME_MASK)


def test_a_file_is_data_for_machines(golden_file: Path, segexport: Callable[..., Any]) -> None:
    ran = segexport("verify", golden_file, "--json")
    body = json.loads(ran.out)
    assert ran.code == 0
    assert (body["file"], body["same"], body["altered"]) == (str(golden_file), True, False)
    assert [one["name"] for one in body["pictures"]] == ["drawn 1", "drawn 2"]


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_damaged_weight_ends_with_code_1_and_one_line(
    words: list[str], golden_file: Path, tmp_path: Path, segexport: Callable[..., Any]
) -> None:
    data = bytearray(golden_file.read_bytes())
    largest = max(range(0, 8000, 16), key=lambda at: len(set(data[at : at + 64])))  # weights, not tables
    data[largest + 20] ^= 1
    path = tmp_path / "damaged.tflite"
    path.write_bytes(data)
    ran = segexport("verify", path, *words)
    assert ran.refusal.startswith(f"segexport: {path}: not the model that the golden pictures were made with")
    if words:
        assert json.loads(ran.out)["same"] is False


def test_another_mask_ends_with_code_1_and_the_numbers(
    golden_file: Path, tmp_path: Path, segexport: Callable[..., Any]
) -> None:
    golden = read_golden(golden_file)
    assert golden is not None
    path = tmp_path / "other.tflite"
    wrong = [replace(one, made=1 - one.made) for one in golden.pictures]
    path.write_bytes(with_golden(golden_file.read_bytes(), wrong))
    ran = segexport("verify", path)
    assert ran.out.count("not the same") == 2
    assert ran.refusal.startswith(f"segexport: {path}: {messages.OTHER_MASK}.")
    assert "expected IoU at least 0.97 and a mean difference of at most 0.01 on each" in ran.refusal


def test_a_file_without_golden_pictures_says_what_to_do(
    golden_file: Path, tmp_path: Path, segexport: Callable[..., Any]
) -> None:
    data, contract = golden_file.read_bytes(), read_contract(golden_file)
    assert contract is not None
    path = tmp_path / "bare.tflite"
    path.write_bytes(stamp(data[: _flatbuffer_end(data)], contract))
    ran = segexport("verify", path)
    assert "bare.tflite: holds no golden pictures, so it cannot test itself; export the checkpoint again" in ran.refusal


def test_a_file_that_is_no_model_is_refused(tmp_path: Path, segexport: Callable[..., Any]) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no model")
    assert "found a file that starts with b'no model'" in segexport("verify", path).refusal
