"""The network that travels with the runtime: small, from the committed checkpoint, and as good as its model card says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

import segruntime
from segruntime.measures.agreement import mask_iou
from segruntime.segmenter import BUNDLED, WITHOUT_INT8

ROOT = Path(__file__).parents[2]
CHECKPOINT = ROOT / "examples" / "mobile_unet.pth"
PORTRAITS = ROOT.parent / "shared" / "data" / "portraits" / "calibration"
LEAST_IOU = 0.945
MOST_LOST_IN_INT8 = 0.001
LEAST_IOU_AGAINST_FLOAT = 0.995


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


@pytest.fixture(scope="module")
def masks() -> dict[str, list[np.ndarray]]:
    """Hand-made masks and those of both files, at 256x256."""
    if not PORTRAITS.is_dir():
        pytest.skip("the portraits of ../shared are not here")
    segmenters = {backend: segruntime.load(path) for backend, path in BUNDLED.items()}
    found: dict[str, list[np.ndarray]] = {"truth": [], **{backend: [] for backend in segmenters}}
    for path in sorted((PORTRAITS / "images").iterdir()):
        frame = cv2.resize(cv2.imread(str(path)), (256, 256), interpolation=cv2.INTER_LINEAR)
        truth = cv2.imread(str(PORTRAITS / "masks" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
        found["truth"].append(cv2.resize(truth, (256, 256), interpolation=cv2.INTER_LINEAR) > 127)
        for backend, segmenter in segmenters.items():
            found[backend].append(segmenter.alpha(frame) > 0.5)
    return found


def mean_iou(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    return float(np.mean([mask_iou(x, y) for x, y in zip(a, b, strict=True)]))


def test_people_in_photographs_are_found(masks: dict[str, list[np.ndarray]]) -> None:
    assert len(masks["truth"]) == 100
    assert mean_iou(masks["onnx"], masks["truth"]) >= LEAST_IOU


def test_int8_loses_next_to_nothing(masks: dict[str, list[np.ndarray]]) -> None:
    lost = mean_iou(masks["onnx"], masks["truth"]) - mean_iou(masks["tflite"], masks["truth"])
    assert lost <= MOST_LOST_IN_INT8
    assert mean_iou(masks["tflite"], masks["onnx"]) >= LEAST_IOU_AGAINST_FLOAT
