"""Tensor → alpha, against formulas in float64: dequantization, sigmoid, softmax, classes, upsampling, `out=`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests import messages
from tests.each_case import each_case
from tests.refusals import refusal

from segruntime.errors import FrameError
from segruntime.model_file.contract import OutputSpec
from segruntime.postprocess import Postprocessor

H, W = 6, 9


def spec(**changes: Any) -> OutputSpec:
    facts = {
        "layout": "NHWC",
        "dtype": "float32",
        "meaning": "probability",
        "channels": 1,
        "person_channel": 0,
        **changes,
    }
    return OutputSpec(width=W, height=H, labels=(), **facts)


def tensor(planes: npt.NDArray[Any], layout: str) -> npt.NDArray[Any]:
    """`(C, H, W)` as the network would give it."""
    return np.ascontiguousarray(planes[None] if layout == "NCHW" else np.moveaxis(planes, 0, -1)[None])


def logits(channels: int, scale: float = 3.0) -> npt.NDArray[np.float32]:
    return (np.random.default_rng(1).normal(size=(channels, H, W)) * scale).astype(np.float32)


@pytest.fixture(params=["NHWC", "NCHW"])
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@each_case("person", [0, 1, 2])
def test_a_probability_is_the_persons_channel_clipped(layout: str, person: int) -> None:
    planes = np.random.default_rng(0).uniform(-0.2, 1.2, (3, H, W)).astype(np.float32)
    found = Postprocessor(spec(layout=layout, channels=3, person_channel=person)).probability(tensor(planes, layout))
    np.testing.assert_array_equal(found, np.clip(planes[person], 0, 1))
    assert found.dtype == np.float32


def test_one_channel_of_logits_becomes_a_sigmoid(layout: str) -> None:
    planes = logits(1)
    planes[0, 0, :4] = [-1000, 1000, 0, -3e38]
    found = Postprocessor(spec(layout=layout, meaning="logits")).probability(tensor(planes, layout))
    with np.errstate(over="ignore"):
        expected = 1 / (1 + np.exp(-planes[0].astype(np.float64)))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found[0, 2] == 0.5


@each_case("person", [0, 2])
def test_several_channels_of_logits_become_a_softmax(layout: str, person: int) -> None:
    planes = logits(3)
    planes[:, 0, 0] = [1e30, 1e30, -1e30]
    found = Postprocessor(spec(layout=layout, meaning="logits", channels=3, person_channel=person)).probability(
        tensor(planes, layout)
    )
    powers = np.exp(planes.astype(np.float64) - planes.max(axis=0))
    np.testing.assert_allclose(found, powers[person] / powers.sum(axis=0), atol=1e-6)
    assert found[0, 0] == (0.5 if person == 0 else 0)


@each_case("dtype", ["int8", "uint8", "int32", "int64"])
def test_classes_become_zero_and_one(layout: str, dtype: str) -> None:
    planes = np.random.default_rng(2).integers(0, 21, (1, H, W)).astype(dtype)
    planes[0, 0, :2] = 15, 14
    found = Postprocessor(
        spec(layout=layout, dtype=dtype, meaning="classes", channels=21, person_channel=15)
    ).probability(tensor(planes, layout))
    np.testing.assert_array_equal(found, (planes[0] == 15).astype(np.float32))
    assert found.dtype == np.float32


@each_case(
    ("dtype", "scale", "zero_point"),
    [("int8", 1 / 256, -128), ("uint8", 1 / 255, 0), ("int8", 0.02, 5), ("int16", 1 / 32768, 0), ("int16", 2e-5, -7)],
)
def test_a_quantized_probability_is_scale_times_the_distance_from_zero(
    layout: str, dtype: str, scale: float, zero_point: int
) -> None:
    info = np.iinfo(dtype)
    planes = np.linspace(info.min, info.max, 5 * H * W).round().reshape(5, H, W).astype(dtype)
    for person in range(5):
        post = Postprocessor(
            spec(layout=layout, dtype=dtype, channels=5, person_channel=person, scale=scale, zero_point=zero_point)
        )
        expected = np.clip(scale * (planes[person].astype(np.float64) - zero_point), 0, 1)
        np.testing.assert_allclose(post.probability(tensor(planes, layout)), expected, rtol=1e-6)


@each_case("channels", [1, 2])
def test_quantized_logits_are_dequantized_before_the_head(layout: str, channels: int) -> None:
    scale, zero_point = 0.087, 116
    planes = np.random.default_rng(3).integers(0, 256, (channels, H, W)).astype(np.uint8)
    person = channels - 1
    found = Postprocessor(
        spec(
            layout=layout,
            dtype="uint8",
            meaning="logits",
            channels=channels,
            person_channel=person,
            scale=scale,
            zero_point=zero_point,
        )
    ).probability(tensor(planes, layout))
    real = scale * (planes.astype(np.float64) - zero_point)
    other = real[0] if channels == 2 else 0
    np.testing.assert_allclose(found, 1 / (1 + np.exp(other - real[person])), atol=1e-5)


# ── to the size of the frame ──────────────────────────────────────────────────────────────────────────────────────────


def ramp() -> npt.NDArray[np.float32]:
    return np.linspace(0, 1, H * W, dtype=np.float32).reshape(1, H, W, 1)


def upsampled(plane: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[np.float64]:
    rows = np.clip((np.arange(height) + 0.5) * plane.shape[0] / height - 0.5, 0, plane.shape[0] - 1)
    columns = np.clip((np.arange(width) + 0.5) * plane.shape[1] / width - 0.5, 0, plane.shape[1] - 1)
    across = np.stack([np.interp(columns, np.arange(plane.shape[1]), row) for row in plane])
    return np.stack([np.interp(rows, np.arange(plane.shape[0]), column) for column in across.T], axis=1)


@each_case("size", [(H, W), (13, 31), (1, 1), (3, 4), (100, 1), (1, 100)])
def test_alpha_is_upsampled_with_half_pixel_centres(size: tuple[int, int]) -> None:
    alpha = Postprocessor(spec())(ramp(), (0, 0, W, H), size)
    assert alpha.shape == size
    assert alpha.dtype == np.float32
    np.testing.assert_allclose(alpha, upsampled(ramp()[0, ..., 0], *size), atol=1e-5)


@each_case("region", [(2, 0, 3, H), (0, 1, W, 4), (4, 3, 1, 1), (0, 0, W, 1)])
def test_only_the_region_of_the_frame_is_read(region: tuple[int, int, int, int]) -> None:
    left, top, w, h = region
    values = np.full((1, H, W, 1), 7.0, np.float32)
    values[0, top : top + h, left : left + w] = ramp()[0, top : top + h, left : left + w]
    alpha = Postprocessor(spec())(values, region, (12, 20))
    np.testing.assert_allclose(alpha, upsampled(ramp()[0, top : top + h, left : left + w, 0], 12, 20), atol=1e-5)


def test_alpha_stays_soft_and_inside_0_and_1() -> None:
    alpha = Postprocessor(spec())(ramp() * 3 - 1, (0, 0, W, H), (60, 90))
    assert alpha.min() == 0
    assert alpha.max() == 1
    assert ((alpha > 0.2) & (alpha < 0.8)).any()


@each_case("size", [(20, 30), (H, W), (1, 1)])
def test_out_is_written_to_and_returned(size: tuple[int, int]) -> None:
    post = Postprocessor(spec())
    out = np.full(size, -5, np.float32)
    returned = post(ramp(), (0, 0, W, H), size, out)
    np.testing.assert_array_equal(out, post(ramp(), (0, 0, W, H), size))
    assert np.shares_memory(returned, out)


def test_a_new_array_is_given_each_time() -> None:
    post = Postprocessor(spec())
    first = post(ramp(), (0, 0, W, H), (H, W))
    kept = first.copy()
    post(1 - ramp(), (0, 0, W, H), (H, W))
    np.testing.assert_array_equal(first, kept)


def read_only() -> npt.NDArray[np.float32]:
    array = np.zeros((20, 30), np.float32)
    array.flags.writeable = False
    return array


@each_case(
    ("out", "says"),
    [
        (np.zeros((30, 20), np.float32), "out: got (30, 20) float32, expected (20, 30) float32"),
        (np.zeros((20, 30, 1), np.float32), "got (20, 30, 1) float32"),
        (np.zeros((20, 30), np.float64), "got (20, 30) float64"),
        (np.zeros((20, 30), np.uint8), "got (20, 30) uint8"),
        (np.zeros((30, 20), np.float32).T, "flipped or skips pixels"),
        (np.zeros((20, 60), np.float32)[:, ::2], "flipped or skips pixels"),
        (np.zeros((20, 30), np.float32)[::-1], "flipped or skips pixels"),
        (read_only(), "read-only"),
        ([[0.0] * 30] * 20, f"out: got list, {messages.ARRAY} (20, 30) float32"),
    ],
)
def test_an_out_that_cannot_be_written_to_is_refused(out: Any, says: str) -> None:
    assert says in refusal(FrameError, Postprocessor(spec()), ramp(), (0, 0, W, H), (20, 30), out)
