"""The presets on a real clip and on real portraits, with the bundled int8 network: the promises of docs/refinement.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests.places import SHARED

import segruntime
from segruntime.measures.agreement import boundary_f, mask_iou
from segruntime.measures.flicker import FlickerMeter
from segruntime.refine import PRESETS, Refiner

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
CLIP = SHARED / "video" / "portrait.mp4"
PORTRAITS = SHARED / "data" / "portraits" / "calibration"
FRAMES = 80
Pair = tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]


def frames() -> Iterator[npt.NDArray[np.uint8]]:
    capture = cv2.VideoCapture(str(CLIP))
    for _ in range(FRAMES):
        found, frame = capture.read()
        assert found
        yield np.asarray(frame, np.uint8)


@pytest.fixture(scope="module")
def clip() -> list[Pair]:
    """Mask and luma of each frame."""
    if not CLIP.is_file():
        pytest.skip("the clips of ../shared are not here")
    segmenter = segruntime.load(backend="tflite", threads=2)
    return [(segmenter.coarse(f), np.asarray(cv2.cvtColor(f, cv2.COLOR_BGR2GRAY), np.uint8)) for f in frames()]


def flicker(name: str, clip: list[Pair]) -> float:
    refiner, meter = Refiner(name), FlickerMeter()
    for mask, gray in clip:
        meter.add(gray, refiner(mask, gray))
    assert meter.value is not None
    return meter.value


def test_flicker_is_at_most_half_of_that_of_fast(clip: list[Pair]) -> None:
    fast = flicker("fast", clip)
    for name in ("balanced", "best"):
        assert flicker(name, clip) <= 0.5 * fast, name


@pytest.mark.parametrize("name", ["balanced", "best"])
def test_moving_parts_are_not_held_back(name: str, clip: list[Pair]) -> None:
    """Where luma changes by more than 12 levels, memory moves alpha by less than a hundredth on average."""
    with_memory, without = Refiner(name), Refiner(replace(PRESETS[name], temporal=None))
    sums, before = np.zeros(2), clip[0][1]
    for mask, gray in clip:
        difference = cv2.absdiff(with_memory(mask, gray), without(mask, gray))
        moving = cv2.absdiff(cv2.blur(gray, (5, 5)), cv2.blur(before, (5, 5))) > 12
        sums += difference[moving].sum(dtype=np.float64), np.count_nonzero(moving)
        before = gray
    assert sums[1] > 100_000
    assert sums[0] / sums[1] < 0.01 * 255


@pytest.mark.skipif(not PORTRAITS.is_dir(), reason="the portraits of ../shared are not here")
def test_neither_iou_nor_boundary_f_goes_down_by_a_third_of_a_point_against_fast() -> None:
    segmenter = segruntime.load(backend="tflite", threads=2)
    scores: dict[str, list[tuple[float, float]]] = {name: [] for name in PRESETS}
    for path in sorted((PORTRAITS / "images").iterdir())[::2]:
        image = np.asarray(cv2.imread(str(path)), np.uint8)
        truth = np.asarray(cv2.imread(str(PORTRAITS / "masks" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)) > 127
        mask, gray = segmenter.coarse(image), np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        for name in PRESETS:
            hard = Refiner(name)(mask, gray) > 127
            scores[name].append((mask_iou(hard, truth), boundary_f(hard, truth)))
    fast = np.mean(scores["fast"], axis=0)
    for name in ("balanced", "best"):
        assert (np.mean(scores[name], axis=0) > fast - 0.003).all(), name
