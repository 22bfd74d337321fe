"""The network that travels with the runtime: small, from the committed checkpoint, and as good as its model card says."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest
from tests.places import ROOT, SHARED

import segruntime
from segruntime.measures.agreement import mask_iou
from segruntime.segmenter import BUNDLED, WITHOUT_INT8

CHECKPOINT = ROOT / "examples" / "mobile_unet.pth"
DATA = SHARED / "data"
SETS = {"street": (DATA / "portraits" / "calibration", ""), "body": (DATA / "wide" / "full_body", "0[67]")}
"""By kind: the folder, and how the names of those begin that training never saw."""
PICTURES = {"street": 100, "body": 45}
LEAST_IOU = {"street": 0.939, "body": 0.907}
"""At 256x256, a little below what the model card's commands measure."""
MOST_LOST_IN_INT8 = 0.001
LEAST_IOU_AGAINST_FLOAT = {"street": 0.995, "body": 0.993}
"""Whole bodies are small, and more of them is edge."""


def test_files_fit_into_a_package() -> None:
    assert CHECKPOINT.stat().st_size <= 2_500_000
    assert sum(path.stat().st_size for path in (*BUNDLED.values(), WITHOUT_INT8)) <= 3_000_000


@pytest.mark.parametrize("backend", sorted(BUNDLED))
def test_contract_names_the_committed_checkpoint_and_a_held_bound(backend: str) -> None:
    contract = segruntime.read_contract(BUNDLED[backend])
    assert contract is not None
    assert contract.source is not None
    assert contract.parity is not None
    assert contract.source.sha256 == hashlib.sha256(CHECKPOINT.read_bytes()).hexdigest()
    assert contract.source.architecture == "mobile_unet"
    assert contract.parity.within_bound


def test_int8_takes_bytes_as_they_are() -> None:
    contract = segruntime.read_contract(BUNDLED["tflite"])
    assert contract is not None
    assert contract.input.dtype == "uint8"
    assert contract.input.zero_point == np.iinfo(contract.input.dtype).min
    assert contract.input.scale == pytest.approx(1 / 255, rel=1e-6)


@pytest.fixture(scope="module", params=sorted(SETS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def masks(kind: str) -> dict[str, list[np.ndarray]]:
    """Hand-made masks and those of the files, at 256x256."""
    folder, beginning = SETS[kind]
    if not folder.is_dir():
        pytest.skip("the pictures of ../shared are not here")
    segmenters = {name: segruntime.load(path) for name, path in {**BUNDLED, "float16": WITHOUT_INT8}.items()}
    found: dict[str, list[np.ndarray]] = {"truth": [], **{name: [] for name in segmenters}}
    for path in sorted((folder / "images").glob(f"{beginning}*")):
        if kind == "body" and not "066" <= path.stem[:3] <= "070":
            continue
        frame = cv2.resize(cv2.imread(str(path)), (256, 256), interpolation=cv2.INTER_LINEAR)
        truth = cv2.imread(str(folder / "masks" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
        found["truth"].append(cv2.resize(truth, (256, 256), interpolation=cv2.INTER_LINEAR) > 127)
        for name, segmenter in segmenters.items():
            found[name].append(segmenter.alpha(frame) > 0.5)
    return found


def mean_iou(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    return float(np.mean([mask_iou(x, y) for x, y in zip(a, b, strict=True)]))


def test_people_in_photographs_are_found(kind: str, masks: dict[str, list[np.ndarray]]) -> None:
    assert len(masks["truth"]) == PICTURES[kind]
    assert mean_iou(masks["onnx"], masks["truth"]) >= LEAST_IOU[kind]


def test_int8_loses_next_to_nothing(kind: str, masks: dict[str, list[np.ndarray]]) -> None:
    lost = mean_iou(masks["onnx"], masks["truth"]) - mean_iou(masks["tflite"], masks["truth"])
    assert lost <= MOST_LOST_IN_INT8
    assert mean_iou(masks["tflite"], masks["onnx"]) >= LEAST_IOU_AGAINST_FLOAT[kind]
    assert mean_iou(masks["float16"], masks["onnx"]) >= LEAST_IOU_AGAINST_FLOAT[kind]
