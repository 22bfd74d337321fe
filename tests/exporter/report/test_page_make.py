"""`segexport report DIR`: the page from a real export, and from one that lacks something."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import messages
from tests.exporter.loaded import run_and_list

import segexport.report.page.rerun
from segexport.errors import OutputError
from segexport.report.page import make_page
from segruntime.errors import BackendError, MissingExtraError


def silent(_: str) -> None:
    pass


def change_report(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    body = json.loads((folder / "report.json").read_text())
    change(body)
    (folder / "report.json").write_text(json.dumps(body))


def test_the_command_writes_the_page_and_says_where(folder: Path, segexport: Callable[..., Any]) -> None:
    ran = segexport("report", folder)
    assert ran.code == 0
    assert ran.out == f"{folder / 'report.html'}\n"
    page = (folder / "report.html").read_text("utf-8")
    assert "All 4 files are within their bounds." in page
    assert page.count("<figure>") == 1 + 6 * 5
    assert "The contract of tiny_int8.tflite" in page


def test_it_runs_without_torch_and_without_any_converter_or_drawing_library(folder: Path) -> None:
    heavy = "torch", "onnx", "onnx2tf", "onnxscript", "tensorflow", "litert_quantizer", "matplotlib", "rich"
    _, loaded = run_and_list(["report", str(folder)], *heavy)
    assert loaded == []


def test_two_runs_give_the_same_bytes_and_leave_nothing_else(exported: Any, folder: Path) -> None:
    first = make_page(folder, silent).read_bytes()
    assert make_page(folder, silent).read_bytes() == first
    assert {path.name for path in folder.iterdir()} == {path.name for path in exported.folder.iterdir()} | {
        "report.html"
    }


def test_progress_is_said_for_each_picture_of_each_file(folder: Path) -> None:
    said: list[str] = []
    make_page(folder, said.append)
    assert said[0] == "tiny.onnx 1/12"
    assert said[-1] == "tiny_int8.tflite 12/12"
    assert len(said) == 4 * 12


def test_a_missing_and_a_changed_file_are_named_on_the_page(folder: Path) -> None:
    (folder / "tiny_int8.tflite").unlink()
    shutil.copy(folder / "tiny_float16.tflite", folder / "tiny_float32.tflite")
    page = make_page(folder, silent).read_text("utf-8")
    assert page.count(messages.NOT_IN_THE_FOLDER) == 6
    assert page.count("not shown: the file is not the one that was exported (its SHA-256 differs)") == 6
    assert "|PyTorch − float16| in every heat map" in page
    assert "The contract of tiny.onnx" in page


def test_a_file_that_was_not_kept_is_named(folder: Path) -> None:
    (folder / "tiny_int8.tflite").unlink()
    change_report(folder, lambda body: body["files"][3].update(kept=False, within_bound=False, mask_iou=0.9))
    page = make_page(folder, silent).read_text("utf-8")
    assert "Not good enough: int8 is over its bound (mask IoU 0.9000" in page
    assert page.count("not shown: the file was over its bound and not kept") == 6


@pytest.mark.parametrize(
    "error",
    [
        MissingExtraError("a .tflite file", "ai-edge-litert", "tflite"),
        BackendError("it cannot be opened"),
        OSError("gone"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_backend_that_is_missing_or_refuses_is_no_crash(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    real = segexport.report.page.rerun.load

    def without_tflite(path: Path) -> Any:
        if path.suffix == ".tflite":
            raise error
        return real(path)

    monkeypatch.setattr(segexport.report.page.rerun, "load", without_tflite)
    page = make_page(folder, silent).read_text("utf-8")
    assert page.count('class="missing"') == 12
    assert "|PyTorch − onnx| in every heat map" in page


def test_no_backend_at_all_leaves_pytorchs_masks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(path: Path) -> Any:
        raise MissingExtraError("a model file", "an interpreter", "tflite")

    monkeypatch.setattr(segexport.report.page.rerun, "load", nothing)
    page = make_page(folder, silent).read_text("utf-8")
    assert messages.NOTHING_COULD_BE_RUN in page
    assert 'id="differences"' not in page


def change_reference(folder: Path, **arrays: Any) -> None:
    with np.load(folder / "reference.npz", allow_pickle=False) as stored:
        np.savez(folder / "reference.npz", **{**stored, **arrays})


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "reference.npz").unlink(),
        lambda folder: (folder / "reference.npz").write_bytes(b"PK\x03\x04"),
        lambda folder: change_reference(folder, frames=np.zeros((12, 0, 0, 3), np.uint8)),
    ],
    ids=["missing", "cut", "no pixels"],
)
def test_without_the_stored_masks_the_page_has_no_pictures_and_says_so(
    folder: Path, damage: Callable[[Path], Any]
) -> None:
    damage(folder)
    page = make_page(folder, silent).read_text("utf-8")
    assert 'id="pictures"' not in page
    assert "int8 is left out of the pictures and the histogram: reference.npz: " in page


def test_masks_of_another_size_are_said(folder: Path) -> None:
    change_reference(folder, masks=np.zeros((12, 7, 9), np.float32))
    page = make_page(folder, silent).read_text("utf-8")
    assert "masks: got (7, 9) and (32, 32)" in page


@pytest.mark.parametrize("name", ["../../etc/passwd", "x" * 4000, "\x00", "..", "", "a/b"])
def test_a_name_that_is_no_file_in_the_folder_is_said(folder: Path, name: str) -> None:
    change_report(folder, lambda body: body["files"][3].update(name=name))
    page = make_page(folder, silent).read_text("utf-8")
    assert messages.NOT_IN_THE_FOLDER in page


def test_a_folder_without_a_report_is_refused_as_by_verify(tmp_path: Path, segexport: Callable[..., Any]) -> None:
    ran = segexport("report", tmp_path)
    assert ran.refusal == segexport("verify", tmp_path).refusal
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_leaves_the_old_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = make_page(folder, silent).read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match=r"report\.html: cannot be written \(No space left on device\)"):
        make_page(folder, silent)
    monkeypatch.undo()
    assert (folder / "report.html").read_bytes() == old
    assert not list(folder.glob(".report*"))


def test_a_folder_in_the_pages_place_is_refused(folder: Path) -> None:
    (folder / "report.html").unlink()
    (folder / "report.html").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        make_page(folder, silent)
