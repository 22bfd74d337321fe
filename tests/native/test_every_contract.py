"""Every way that a contract can say a tensor: the core makes of it what the Python runtime makes of it."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from segedge import Native, NativeError, Opening
from tests.native.conftest import MODELS
from tests.native.reshaped import write_free_axes, write_reshaped
from tests.refusals import refusal

import segruntime
from segruntime.preprocess import fit_region

WIDTH, HEIGHT = 24, 16
QUANTIZED = {
    "float32": {},
    "uint8": {"scale": 1 / 255, "zero_point": 0},
    "int8": {"scale": 0.013, "zero_point": -20},
    "int16": {"scale": 0.0007, "zero_point": 3},
}
SIZES = ((90, 160), (160, 90), (16, 24), (33, 25), (1, 40), (17, 300), (48, 32))
Spec = dict[str, Any]


def contract(dtype: str, layout: str, given: Spec, output: Spec) -> Spec:
    base = {"layout": layout, "dtype": dtype}
    source = {"width": WIDTH, "height": HEIGHT, "color": "rgb", "value_range": [0.0, 1.0], "resize": "stretch"}
    quantized = {} if output["meaning"] == "classes" else QUANTIZED[dtype]
    return {
        "format": "segedge.contract",
        "version": 1,
        "input": {**base, **source, "interpolation": "bilinear", **QUANTIZED[dtype], **given},
        "output": {**base, "labels": [], **quantized, **output},
        "threshold": 0.5,
    }


def meaning(kind: str, channels: int) -> Spec:
    """An output of as many values as the input has: one channel is three times as wide."""
    wide = 3 if kind == "classes" or channels == 1 else 1
    return {
        "width": wide * WIDTH,
        "height": HEIGHT,
        "meaning": kind,
        "channels": channels,
        "person_channel": channels // 2,
    }


def compare(spec: Spec, opening: Opening, folder: Path, photo: np.ndarray, *, logarithm: bool = False) -> None:
    """Input tensor and mask of frames of many sizes, one after the other."""
    path, text = write_reshaped(spec, folder / "model.tflite", logarithm=logarithm), json.dumps(spec)
    native = Native(path, Opening(opening.core, opening.litert, 1, text))
    segmenter = segruntime.load(path, threads=1, contract=spec)
    for height, width in SIZES:
        frame = cv2.resize(photo, (width, height), interpolation=cv2.INTER_NEAREST)
        _, _, w, h = fit_region(segmenter.contract.input, height, width)
        if spec["input"]["interpolation"] == "area" and (h > height or w > width):
            with pytest.raises(NativeError, match="only makes pictures smaller"):
                native.mask(frame)
            continue
        found = native.mask(frame)
        wanted = segmenter.preprocess(frame)
        assert np.array_equal(np.frombuffer(native.step("input"), wanted.dtype), wanted.ravel()), (height, width)
        probability = np.frombuffer(native.step("probability"), np.float32)
        assert np.array_equal(probability, segmenter.network_mask(frame).ravel(), equal_nan=True)
        assert np.array_equal(np.frombuffer(native.step("coarse"), np.float32), segmenter.coarse(frame).ravel())
        # OpenCV's own float resize is not the same on every processor: docs/exactness.md
        assert np.abs(found - segmenter.alpha(frame)).max() <= 2e-6, (height, width)


@pytest.mark.parametrize(
    ("resize", "interpolation"), list(itertools.product(["stretch", "letterbox"], ["bilinear", "nearest", "area"]))
)
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("dtype", QUANTIZED)
def test_every_input_is_filled_as_python_fills_it(
    dtype: str, layout: str, resize: str, interpolation: str, opening: Opening, tmp_path: Path, photo: np.ndarray
) -> None:
    given = {"resize": resize, "interpolation": interpolation}
    compare(contract(dtype, layout, given, meaning("probability", 3)), opening, tmp_path, photo)


@pytest.mark.parametrize(
    "given",
    [
        {"color": "bgr"},
        {"value_range": [-1.0, 1.0]},
        {"value_range": [0.0, 255.0], "mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]},
        {"color": "bgr", "mean": [0.4, 0.5, 0.6], "std": [1e-9, 0.2, 1e9], "resize": "letterbox"},
    ],
)
@pytest.mark.parametrize("dtype", QUANTIZED)
def test_every_range_and_order_of_colours_is_python_s(
    given: Spec, dtype: str, opening: Opening, tmp_path: Path, photo: np.ndarray
) -> None:
    compare(contract(dtype, "NHWC", given, meaning("probability", 3)), opening, tmp_path, photo)


NUMBERS = [(dtype, *one) for dtype in QUANTIZED for one in (("probability", 1), ("logits", 1), ("logits", 3))]
CLASSES = [(dtype, "classes", channels) for dtype in ("int8", "uint8") for channels in (2, 200)]


@pytest.mark.parametrize(("dtype", "kind", "channels"), NUMBERS + CLASSES)
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_every_output_is_read_as_python_reads_it(
    dtype: str, layout: str, kind: str, channels: int, opening: Opening, tmp_path: Path, photo: np.ndarray
) -> None:
    given = {"value_range": [-6.0, 9.0]} if kind == "logits" else {}
    compare(contract(dtype, layout, given, meaning(kind, channels)), opening, tmp_path, photo)


def test_what_is_no_number_or_too_large_is_as_in_python(opening: Opening, tmp_path: Path, photo: np.ndarray) -> None:
    dark = np.where(photo < 90, photo // 30, photo)  # 0 and 1 among its bytes, so that a logarithm is -infinity and NaN
    for kind, channels in (("probability", 1), ("probability", 3), ("logits", 1), ("logits", 3)):
        ends = {"value_range": [-1e9, 1e9], "mean": [0, 0, 0], "std": [1e-9, 1e-9, 1e-9]}
        for given in (ends, {"value_range": [0.0, 255.0]}, {"value_range": [-1.0, 254.0]}):
            spec = contract("float32", "NHWC", given, meaning(kind, channels))
            compare(spec, opening, tmp_path, dark)
            compare(spec, opening, tmp_path, dark, logarithm=True)


def test_an_output_of_another_size_than_the_input_keeps_its_letterbox(
    opening: Opening, tmp_path: Path, photo: np.ndarray
) -> None:
    for width, height in ((72, 16), (12, 96), (36, 32), (18, 64)):
        output = {**meaning("probability", 1), "width": width, "height": height}
        compare(contract("uint8", "NHWC", {"resize": "letterbox"}, output), opening, tmp_path, photo)


def test_a_network_that_takes_any_size_gets_the_contracts(opening: Opening, photo: np.ndarray, tmp_path: Path) -> None:
    """As Keras leaves them: axes of -1, stored as 1."""
    fixed = segruntime.load(MODELS / "mobile_unet_int8.tflite", threads=2)
    free = write_free_axes(MODELS / "mobile_unet_int8.tflite", tmp_path / "free.tflite", stored=1)
    contract = json.dumps(fixed.contract.to_json())
    wanted = fixed.alpha(photo)
    assert (segruntime.load(free, contract=fixed.contract, threads=2).alpha(photo) == wanted).all()
    assert np.abs(Native(free, replace(opening, contract=contract)).mask(photo) - wanted).max() <= 1e-6


def test_a_network_of_another_size_is_refused(opening: Opening) -> None:
    contract = segruntime.load(MODELS / "mobile_unet_int8.tflite").contract.to_json()
    contract["input"].update(width=128, height=128)
    message = refusal(
        NativeError, Native, MODELS / "mobile_unet_int8.tflite", replace(opening, contract=json.dumps(contract))
    )
    assert "the model's input is (1, 256, 256, 3)" in message
    assert "the contract says (1, 128, 128, 3)" in message
