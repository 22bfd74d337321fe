"""The same frame through every backend gives the same mask."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests.places import SHARED

import segruntime
from segruntime import Segmenter
from segruntime.backends import BACKENDS
from segruntime.measures.agreement import Agreement, agreement

SELFIE = SHARED / "models" / "selfie_256.tflite"
PICTURES = SHARED / "data" / "portraits" / "calibration" / "images"
Picture = npt.NDArray[np.uint8]


def drawn() -> Picture:
    """A head and shoulders before a wall, soft light: simple, but not noise."""
    y, x = np.mgrid[0:360, 0:300].astype(np.float32)
    image = np.stack([150 + x / 6, 160 - y / 9, 140 + y / 8], axis=-1).clip(0, 255).astype(np.uint8)
    cv2.ellipse(image, (150, 380), (125, 140), 0, 0, 360, (90, 50, 40), -1)
    cv2.rectangle(image, (125, 200), (175, 270), (120, 150, 200), -1)
    cv2.ellipse(image, (150, 120), (68, 80), 0, 0, 360, (30, 40, 60), -1)
    cv2.ellipse(image, (150, 150), (58, 78), 0, 0, 360, (130, 160, 215), -1)
    for eye in (127, 173):
        cv2.ellipse(image, (eye, 140), (10, 5), 0, 0, 360, (40, 40, 40), -1)
    cv2.ellipse(image, (150, 195), (20, 6), 0, 0, 360, (90, 90, 170), -1)
    return cv2.GaussianBlur(image, (0, 0), 1.5).astype(np.uint8)


def photographs() -> list[Picture]:
    return [np.asarray(cv2.imread(str(path)), np.uint8) for path in sorted(PICTURES.glob("*.jpg"))[:5]]


def disagreement(first: Segmenter, second: Segmenter, frame: Picture) -> Agreement:
    return agreement(first.alpha(frame), second.alpha(frame))


# one bundled file is int8 and the other float32: on pictures of the kind that it was calibrated with the masks are the same to
# 0.98; a drawing is none of them and gets the looser bound of a contract
@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "tflite"])
@pytest.mark.parametrize(
    ("pictures", "least_iou"),
    [
        pytest.param(lambda: [drawn()], 0.95, id="drawn"),
        pytest.param(
            photographs,
            0.98,
            id="photographs",
            marks=pytest.mark.skipif(not PICTURES.is_dir(), reason="no pictures next to this checkout"),
        ),
    ],
)
def test_the_bundled_files_give_the_same_mask(
    backend: str, pictures: Callable[[], list[Picture]], least_iou: float
) -> None:
    reference, other = segruntime.load(backend="tflite"), segruntime.load(backend=backend)
    for frame in pictures():
        share = float((reference.alpha(frame) > 0.5).mean())
        assert 0.02 < share < 0.98, "a mask of nothing or of everything would prove nothing"
        found = disagreement(reference, other, frame)
        assert found.mask_iou >= least_iou, found
        assert found.mean_difference <= 0.02, found


@pytest.mark.parametrize("backend", list(BACKENDS))
@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_does_not_decide_the_mask(backend: str, threads: int) -> None:
    one, more = (segruntime.load(backend=backend, threads=count) for count in (1, threads))
    assert disagreement(one, more, drawn()).max_difference <= 1e-3


@pytest.mark.skipif(not SELFIE.is_file(), reason="the models that others made are not next to this checkout")
@pytest.mark.skipif(not PICTURES.is_dir(), reason="the portrait pictures are not next to this checkout")
def test_one_network_in_both_formats_gives_one_mask() -> None:
    side = {"width": 256, "height": 256, "layout": "NHWC", "dtype": "float32"}
    contract = {
        "format": "segedge.contract",
        "version": 1,
        "input": {**side, "color": "rgb", "value_range": [0, 1], "resize": "stretch", "interpolation": "bilinear"},
        "output": {**side, "meaning": "probability", "channels": 1, "person_channel": 0, "labels": []},
        "threshold": 0.5,
    }
    tflite, onnx = (segruntime.load(SELFIE.with_suffix(s), contract=contract) for s in (".tflite", ".onnx"))
    assert (tflite.backend, onnx.backend) == ("tflite", "onnx")
    for frame in photographs():
        found = disagreement(tflite, onnx, frame)
        assert found.max_difference <= 0.02, found
        assert found.mask_iou >= 0.998, found
