"""Which masks and pictures are shown, how differences are counted and coloured."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from segexport.compare.rows import FileRow
from segexport.report.page.histogram import BINS, EDGES, between, spread
from segexport.report.page.images import gray, heat, photo
from segexport.report.page.views import least_exact, shown_masks, worst_first
from segruntime.measures.agreement import Agreement

ROW = FileRow(
    name="a",
    precision="float32",
    kept=True,
    size_bytes=1,
    sha256="",
    pictures=1,
    max_difference=0.0,
    mean_difference=0.0,
    mask_iou=1.0,
    changed_pixels=0.0,
    boundary_f=1.0,
    worst_picture="",
    worst_iou=1.0,
    bound={"max_difference": 1.0, "mask_iou": None, "relative_to": None},
    bound_text="",
    within_bound=True,
    invoke_p50_ms=1.0,
)


def rows(**ious: float) -> list[FileRow]:
    return [replace(ROW, precision=name, mask_iou=iou, max_difference=1 - iou) for name, iou in ious.items()]


def decoded(uri: str, kind: str) -> Any:
    head, _, data = uri.partition(",")
    assert head == f"data:image/{kind};base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize(
    ("made", "ran", "least", "masks"),
    [
        (rows(float32=1.0, float16=0.99, int8=0.9), {"float32", "float16", "int8"}, "int8", ("float32", "int8")),
        (rows(float32=1.0, dynamic=0.8, int8=0.9), {"float32", "dynamic", "int8"}, "int8", ("float32", "int8")),
        (
            rows(float32=1.0, dynamic=0.8, float16=0.99),
            {"float32", "dynamic", "float16"},
            "dynamic",
            ("float32", "dynamic"),
        ),
        (rows(onnx=1.0), {"onnx"}, "onnx", ("onnx",)),
        (rows(float32=1.0), {"float32"}, "float32", ("float32",)),
        (rows(float32=1.0, float16=0.99, int8=0.9), {"float32", "float16"}, "float16", ("float32", "int8", "float16")),
        (rows(onnx=1.0, float32=1.0, int8=0.9), {"onnx"}, "onnx", ("float32", "int8", "onnx")),
        (rows(float32=1.0, int8=0.9), set(), None, ("float32", "int8")),
        ([], set(), None, ()),
    ],
)
def test_float32_and_int8_are_shown_or_the_least_exact_that_ran(
    made: list[FileRow], ran: set[str], least: str | None, masks: tuple[str, ...]
) -> None:
    assert least_exact(made, ran) == least
    assert shown_masks(made, ran) == masks


def test_the_worst_pictures_come_first_and_the_difference_decides_between_equals() -> None:
    pairs = [(1.0, 0.1), (0.9, 0.2), (1.0, 0.3), (0.5, 0.1)]
    agreements = [
        Agreement(max_difference=most, mean_difference=0.0, mask_iou=iou, changed_pixels=0.0, boundary_f=1.0)
        for iou, most in pairs
    ]
    assert worst_first(agreements) == [3, 1, 2, 0]
    assert worst_first(agreements * 4, most=6) == [3, 7, 11, 15, 1, 5]


def test_every_pixel_is_counted_once_in_the_bin_that_holds_its_difference() -> None:
    differences = np.array([[0.0, 5e-8, 2e-7, 0.011, 0.5, 1.0, np.nan, np.inf]], np.float32)
    counts = spread(np.zeros_like(differences), differences)
    assert counts.sum() == differences.size
    assert counts[0] == 2
    assert counts[BINS - 1] == 2 + 1, "1, and NaN and infinity, which are as far away as can be"
    for value in (2e-7, 0.011, 0.5):
        k = int(np.flatnonzero(spread(np.zeros((1, 1), np.float32), np.full((1, 1), value, np.float32)))[0])
        assert EDGES[k - 1] <= value < EDGES[k]


def test_bins_are_named() -> None:
    assert between(0) == "below 1.0×10⁻⁷"
    assert between(BINS - 1) == "0.562 to 1"


def test_a_photo_is_a_small_jpeg_of_the_same_shape() -> None:
    frame = np.zeros((600, 1200, 3), np.uint8)
    frame[:, :600] = (255, 0, 0)
    shown = decoded(photo(frame), "jpeg")
    assert shown.shape == (160, 320, 3)
    assert shown[80, 40].argmax() == 0, "blue is the first channel here as well"


def test_a_mask_keeps_its_gray() -> None:
    mask = np.array([[0, 0.5], [1, 2]], np.float32)
    assert decoded(gray(mask), "png").tolist() == [[0, 128], [255, 255]]


def test_heat_is_black_at_none_and_yellow_at_most_and_the_middle_at_a_quarter() -> None:
    shown = decoded(heat(np.array([[0, 0.05, 0.2]], np.float32), 0.2), "webp")
    inferno = cv2.applyColorMap(np.array([[0, 128, 252]], np.uint8), cv2.COLORMAP_INFERNO)
    assert shown.tolist() == inferno.tolist()


def test_a_single_pixel_survives_that_the_heat_map_is_made_smaller() -> None:
    difference = np.zeros((1280, 1280), np.float32)
    difference[641, 333] = 1
    assert decoded(heat(difference, 1.0), "webp").sum(axis=2).max() > 500


@pytest.mark.parametrize("shape", [(1, 1), (1, 4096), (4096, 1)])
def test_odd_shapes_are_drawn(shape: tuple[int, int]) -> None:
    mask = np.full(shape, 0.5, np.float32)
    assert max(decoded(gray(mask), "png").shape) <= 320
    assert max(decoded(heat(mask, 1.0), "webp").shape) <= 320
