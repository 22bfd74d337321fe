"""Models that others made, run with a contract next to them. They are not part of the project: without them, skipped."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests.places import ROOT, SHARED
from tests.refusals import refusal

import segruntime
from segruntime.errors import BackendError, ContractError
from segruntime.measures.agreement import mask_iou

CONTRACTS = ROOT / "examples" / "contracts"
MODELS = SHARED / "models"
PICTURES = SHARED / "data" / "portraits" / "calibration" / "images"
pytestmark = [
    pytest.mark.skipif(not MODELS.is_dir(), reason="the models that others made are not next to this checkout"),
    pytest.mark.skipif(not PICTURES.is_dir(), reason="the portrait pictures are not next to this checkout"),
]


def contract(name: str) -> dict[str, Any]:
    return dict(json.loads((CONTRACTS / f"{name}.contract.json").read_text()))


MNV3, MNV3_UINT8, SELFIE = contract("mnv3_float"), contract("mnv3_uint8"), contract("selfie_256")
RUNS = {
    "mnv3_float.tflite": MNV3,
    "mnv3_uint8.tflite": MNV3_UINT8,
    "selfie_256.tflite": SELFIE,
    "selfie_256.onnx": SELFIE,
}


def pictures() -> list[npt.NDArray[np.uint8]]:
    found = [cv2.imread(str(path)) for path in sorted(PICTURES.glob("*.jpg"))[:4]]
    return [np.asarray(image, np.uint8) for image in found]


def truth() -> list[npt.NDArray[np.bool_]]:
    found = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted((PICTURES.parent / "masks").iterdir())[:4]]
    return [np.asarray(image) > 127 for image in found if image is not None]


def linked(tmp_path: Path, name: str, facts: dict[str, Any]) -> Path:
    """The model with its contract next to it, as a user would place it."""
    path = tmp_path / name
    os.symlink(MODELS / name, path)
    path.with_suffix(".contract.json").write_text(json.dumps(facts))
    return path


@pytest.mark.parametrize("name", RUNS)
def test_a_foreign_model_runs_with_a_contract_beside_it_and_finds_the_person(name: str, tmp_path: Path) -> None:
    segmenter = segruntime.load(linked(tmp_path, name, RUNS[name]), threads=1)
    found = [mask_iou(segmenter.alpha(p) > 0.5, t) for p, t in zip(pictures(), truth(), strict=True)]
    assert np.mean(found) > 0.85, found


@pytest.mark.parametrize("name", RUNS)
def test_the_same_model_with_the_contract_passed_in_gives_the_same_mask(name: str, tmp_path: Path) -> None:
    frame = pictures()[0]
    beside = segruntime.load(linked(tmp_path, name, RUNS[name])).alpha(frame)
    np.testing.assert_array_equal(segruntime.load(MODELS / name, contract=RUNS[name]).alpha(frame), beside)


def test_wrong_colours_or_range_change_the_mask_so_the_contract_matters() -> None:
    frame = pictures()[0]
    right = segruntime.load(MODELS / "mnv3_float.tflite", contract=MNV3).alpha(frame)
    for change in ({"color": "bgr"}, {"value_range": [0, 255]}):
        wrong = {**MNV3, "input": {**MNV3["input"], **change}}
        other = segruntime.load(MODELS / "mnv3_float.tflite", contract=wrong).alpha(frame)
        assert np.abs(other - right).max() > 0.05, change


def test_the_quantized_model_agrees_with_the_float_one() -> None:
    float_ = segruntime.load(MODELS / "mnv3_float.tflite", contract=MNV3)
    uint8 = segruntime.load(MODELS / "mnv3_uint8.tflite", contract=MNV3_UINT8)
    found = [mask_iou(float_.alpha(p) > 0.5, uint8.alpha(p) > 0.5) for p in pictures()]
    assert np.mean(found) > 0.95, found


def test_a_contract_with_other_quantization_than_the_file_is_refused() -> None:
    wrong = {**MNV3_UINT8, "input": {**MNV3_UINT8["input"], "zero_point": 128}}
    with pytest.raises(
        ContractError, match=r"its input has scale 0.00784314 and zero point 127, the contract says .* and 128"
    ):
        segruntime.load(MODELS / "mnv3_uint8.tflite", contract=wrong)


def test_without_a_contract_a_foreign_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "selfie_256.tflite"
    os.symlink(MODELS / path.name, path)
    with pytest.raises(ContractError, match=r"Write selfie_256\.contract\.json like this"):
        segruntime.load(path)


def test_a_file_that_the_interpreter_refuses_gives_its_reason_and_what_to_do() -> None:
    said = refusal(BackendError, segruntime.load, MODELS / "mnv3_broken_int8.tflite", contract=MNV3)
    assert "mnv3_broken_int8.tflite: ai_edge_litert refuses it (" in said
    assert "export it again with segexport" in said
