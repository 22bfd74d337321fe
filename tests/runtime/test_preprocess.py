"""Frame → tensor, against formulas in float64: byte tables, half-pixel resizing, letterbox, layouts, colour orders."""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests import messages
from tests.each_case import each_case
from tests.refusals import refusal

from segruntime.arrays import check_frame
from segruntime.errors import FrameError
from segruntime.model_file.contract import InputSpec
from segruntime.preprocess import Preprocessor, fit_region

Bytes = npt.NDArray[np.uint8]


def spec(width: int = 16, height: int = 8, **changes: Any) -> InputSpec:
    """A tensor that holds the bytes themselves, unless changed."""
    facts = {"layout": "NHWC", "dtype": "float32", "color": "bgr", "value_range": (0.0, 255.0), **changes}
    return InputSpec(width=width, height=height, **facts)


def noise(*shape: int, seed: int = 0) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth(height: int, width: int) -> Bytes:
    y, x = np.mgrid[0:height, 0:width]
    planes = [127 + 120 * np.sin(x / 5 + k) * np.cos(y / 7 - k) for k in range(3)]
    return np.stack(planes, axis=-1).astype(np.uint8)


def bilinear(image: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[np.float64]:
    """Half-pixel centres, no antialiasing, the edge repeated."""

    def places(count: int, source: int) -> tuple[Any, Any, Any]:
        at = (np.arange(count) + 0.5) * source / count - 0.5
        low = np.floor(at).astype(int)
        return np.clip(low, 0, source - 1), np.clip(low + 1, 0, source - 1), at - low

    y0, y1, fy = places(height, image.shape[0])
    x0, x1, fx = places(width, image.shape[1])
    image = image.astype(np.float64)
    fy, fx = fy[:, None, None], fx[None, :, None]
    above = image[y0][:, x0] * (1 - fx) + image[y0][:, x1] * fx
    below = image[y1][:, x0] * (1 - fx) + image[y1][:, x1] * fx
    return np.asarray(above * (1 - fy) + below * fy)


# ── values ────────────────────────────────────────────────────────────────────────────────────────────────────────────

EVERY_BYTE = np.arange(256, dtype=np.uint8).reshape(8, 32)


@each_case("layout", ["NHWC", "NCHW"])
@each_case(
    ("value_range", "mean", "std"),
    [
        ((0.0, 1.0), None, None),
        ((-1.0, 1.0), None, None),
        ((0.0, 255.0), None, None),
        ((0.0, 1.0), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ],
)
def test_every_byte_becomes_what_the_formula_says(layout: str, value_range: Any, mean: Any, std: Any) -> None:
    tensor = Preprocessor(spec(32, 8, layout=layout, value_range=value_range, mean=mean, std=std))(
        np.stack([EVERY_BYTE, EVERY_BYTE.T.reshape(8, 32), EVERY_BYTE[::-1]], axis=-1)
    )
    planes = tensor[0] if layout == "NCHW" else np.moveaxis(tensor[0], -1, 0)
    for channel, plane in enumerate((EVERY_BYTE, EVERY_BYTE.T.reshape(8, 32), EVERY_BYTE[::-1])):
        expected = value_range[0] + plane.astype(np.float64) / 255 * (value_range[1] - value_range[0])
        if mean is not None:
            expected = (expected - mean[channel]) / std[channel]
        np.testing.assert_allclose(planes[channel], expected, rtol=1e-6, atol=1e-7)
    assert tensor.dtype == np.float32


def test_the_int8_tensor_is_exactly_the_byte_minus_128() -> None:
    frame = noise(8, 16, 3)
    tensor = Preprocessor(spec(dtype="int8", value_range=(0.0, 1.0), scale=1 / 255, zero_point=-128))(frame)
    assert tensor.dtype == np.int8
    np.testing.assert_array_equal(tensor[0], frame.astype(np.int16) - 128)


@each_case("scale", [1 / 255, float(np.float32(1 / 255))])
@each_case("layout", ["NHWC", "NCHW"])
@each_case("color", ["rgb", "bgr"])
def test_the_uint8_tensor_is_exactly_the_byte(scale: float, layout: str, color: str) -> None:
    facts = {"dtype": "uint8", "layout": layout, "color": color, "value_range": (0.0, 1.0), "zero_point": 0}
    run = Preprocessor(spec(scale=scale, **facts))
    for seed in range(2):
        frame = noise(8, 16, 3, seed=seed)
        tensor = run(frame)
        image = np.moveaxis(tensor[0], 0, -1) if layout == "NCHW" else tensor[0]
        np.testing.assert_array_equal(image, frame if color == "bgr" else frame[..., ::-1])


@each_case("size", [(20, 20), (9, 90), (1, 700), (8, 16)])
def test_a_letterboxed_uint8_tensor_is_the_int8_tensor_with_its_highest_bit_turned(size: tuple[int, int]) -> None:
    facts = {"resize": "letterbox", "color": "rgb", "value_range": (0.0, 1.0), "scale": 1 / 255}
    signed = Preprocessor(spec(dtype="int8", zero_point=-128, **facts))
    bytes_ = Preprocessor(spec(dtype="uint8", zero_point=0, **facts))
    for turned in (size, size[::-1], size):  # the pad of the frame before is wiped
        frame = noise(*turned, 3)
        np.testing.assert_array_equal(bytes_(frame), signed(frame).view(np.uint8) ^ 0x80)


@each_case("dtype", ["int8", "uint8", "int16"])
@each_case(("scale", "shift"), [(2 / 255, 127), (0.01, 30), (0.001, 0)])
def test_quantized_values_are_rounded_and_saturate(dtype: str, scale: float, shift: int) -> None:
    low, high = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}[dtype]
    zero_point = shift + low
    frame = np.repeat(EVERY_BYTE[..., None], 3, axis=-1)
    tensor = Preprocessor(spec(32, 8, dtype=dtype, value_range=(-1.0, 1.0), scale=scale, zero_point=zero_point))(frame)
    real = -1 + EVERY_BYTE.astype(np.float64) / 255 * 2
    exact = np.clip(real / scale + zero_point, low, high)
    assert np.abs(tensor[0, ..., 0] - exact).max() <= 0.5 + 1e-9
    assert (tensor[0] == tensor[0, ..., :1]).all()


def test_an_int16_tensor_holds_0_to_1_in_32767_steps() -> None:
    frame = np.repeat(EVERY_BYTE[..., None], 3, axis=-1)
    tensor = Preprocessor(spec(32, 8, dtype="int16", value_range=(0.0, 1.0), scale=1 / 32767, zero_point=0))(frame)
    assert tensor.dtype == np.int16
    np.testing.assert_array_equal(tensor[0, ..., 0], np.rint(EVERY_BYTE / 255 * 32767))


# ── geometry ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_case("size", [(31, 47), (8, 16), (9, 17), (3, 5), (1, 1), (64, 2), (2, 64), (120, 161)])
@each_case("make", [noise, smooth])
def test_bilinear_has_half_pixel_centres_and_no_antialiasing(size: tuple[int, int], make: Any) -> None:
    frame = noise(*size, 3) if make is noise else smooth(*size)
    tensor = Preprocessor(spec(16, 8))(frame)
    assert np.abs(tensor[0] - bilinear(frame, 8, 16)).max() <= 1


@each_case("size", [(24, 48), (7, 13), (8, 16), (1, 1), (50, 9)])
def test_nearest_takes_the_pixel_under_the_centre(size: tuple[int, int]) -> None:
    frame = noise(*size, 3)
    tensor = Preprocessor(spec(16, 8, interpolation="nearest"))(frame)
    rows = [int((2 * i + 1) * size[0] // (2 * 8)) for i in range(8)]
    columns = [int((2 * i + 1) * size[1] // (2 * 16)) for i in range(16)]
    np.testing.assert_array_equal(tensor[0], frame[rows][:, columns])


def test_area_averages_the_pixels_below() -> None:
    frame = noise(8 * 3, 16 * 5, 3)
    tensor = Preprocessor(spec(16, 8, interpolation="area"))(frame)
    mean = frame.reshape(8, 3, 16, 5, 3).mean(axis=(1, 3))
    assert np.abs(tensor[0] - mean).max() <= 1


@each_case(
    ("size", "region"),
    [
        ((256, 256), (0, 0, 256, 256)),
        ((720, 1280), (0, 56, 256, 144)),
        ((1280, 720), (56, 0, 144, 256)),
        ((1, 1), (0, 0, 256, 256)),
        ((1, 5000), (0, 127, 256, 1)),
        ((5000, 1), (127, 0, 1, 256)),
        ((101, 200), (0, 63, 256, 129)),
    ],
)
def test_letterbox_centres_the_frame_and_keeps_its_aspect_ratio(size: tuple[int, int], region: Any) -> None:
    assert fit_region(spec(256, 256, resize="letterbox"), *size) == region
    assert fit_region(spec(256, 256), *size) == (0, 0, 256, 256)


@each_case("layout", ["NHWC", "NCHW"])
@each_case("size", [(20, 20), (9, 90), (1, 700), (700, 1), (8, 16), (5, 7)])
def test_the_letterbox_pad_is_byte_zero_and_the_rest_is_the_frame(layout: str, size: tuple[int, int]) -> None:
    letterbox = spec(16, 8, layout=layout, resize="letterbox", value_range=(-1.0, 1.0))
    frame = np.maximum(smooth(*size), 1)
    tensor = Preprocessor(letterbox)(frame)[0]
    image = np.moveaxis(tensor, 0, -1) if layout == "NCHW" else tensor
    left, top, w, h = fit_region(letterbox, *size)
    inside = np.zeros((8, 16), bool)
    inside[top : top + h, left : left + w] = True
    assert (image[~inside] == -1).all()
    bytes_ = (image[inside].reshape(h, w, 3).astype(np.float64) + 1) / 2 * 255
    assert np.abs(bytes_ - bilinear(frame, h, w)).max() <= 1.001


def test_the_pad_is_clean_after_the_shape_of_the_frames_has_changed() -> None:
    letterbox = spec(16, 16, resize="letterbox")
    used = Preprocessor(letterbox)
    for size in [(90, 30), (30, 90), (50, 50), (30, 90), (30, 90), (90, 30)]:
        frame = noise(*size, 3, seed=sum(size))
        np.testing.assert_array_equal(used(frame), Preprocessor(letterbox)(frame))


def test_a_frame_leaves_nothing_behind_in_the_next() -> None:
    used = Preprocessor(spec())
    first = used(noise(40, 50, 3)).copy()
    used(np.full((33, 9, 3), 255, np.uint8))
    np.testing.assert_array_equal(used(noise(40, 50, 3)), first)


# ── layouts, colours, kinds of frame ──────────────────────────────────────────────────────────────────────────────────


@each_case("dtype", ["float32", "int8"])
@each_case("color", ["rgb", "bgr"])
def test_both_layouts_hold_the_same_values(dtype: str, color: str) -> None:
    quantized = {"scale": 2 / 255, "zero_point": -1} if dtype == "int8" else {}
    facts = {"dtype": dtype, "color": color, "value_range": (-1.0, 1.0), "mean": (0.1, 0.2, 0.3), "std": (1, 2, 3)}
    frame = noise(21, 34, 3)
    nhwc = Preprocessor(spec(**facts, **quantized))(frame)
    nchw = Preprocessor(spec(layout="NCHW", **facts, **quantized))(frame)
    assert nchw.shape == (1, 3, 8, 16)
    assert nchw.flags.c_contiguous
    np.testing.assert_array_equal(np.moveaxis(nhwc[0], -1, 0), nchw[0])


@each_case("layout", ["NHWC", "NCHW"])
def test_rgb_is_bgr_turned_round_and_mean_and_std_follow_the_colour_order(layout: str) -> None:
    frame = np.zeros((8, 16, 3), np.uint8)
    frame[..., 0], frame[..., 1], frame[..., 2] = 10, 20, 30  # blue, green, red
    plain = {"layout": layout, "mean": (1.0, 2.0, 3.0), "std": (1.0, 10.0, 100.0)}
    axes = (0, 2, 3) if layout == "NCHW" else (0, 1, 2)
    np.testing.assert_allclose(
        Preprocessor(spec(color="bgr", **plain))(frame).mean(axis=axes), [9, 1.8, 0.27], rtol=1e-5
    )
    np.testing.assert_allclose(
        Preprocessor(spec(color="rgb", **plain))(frame).mean(axis=axes), [29, 1.8, 0.07], rtol=1e-5
    )


@each_case("color", ["rgb", "bgr"])
@each_case("resize", ["stretch", "letterbox"])
def test_gray_and_bgra_are_the_frame_that_they_stand_for(color: str, resize: str) -> None:
    run = Preprocessor(spec(color=color, resize=resize))
    gray, bgra = noise(20, 25), noise(20, 25, 4)
    as_colour = run(np.repeat(gray[..., None], 3, axis=-1)).copy()
    np.testing.assert_array_equal(run(gray), as_colour)
    np.testing.assert_array_equal(run(gray[..., None]), as_colour)
    without_alpha = run(np.ascontiguousarray(bgra[..., :3])).copy()
    np.testing.assert_array_equal(run(bgra), without_alpha)


VIEWS = {
    "cut out": lambda a: a[3:30, 5:40],
    "every other row": lambda a: a[::2],
    "every other column": lambda a: a[:, ::2],
    "upside down": lambda a: a[::-1],
    "mirrored": lambda a: a[:, ::-1],
    "turned": lambda a: np.swapaxes(a, 0, 1),
    "colours turned round": lambda a: a[..., ::-1] if a.ndim == 3 else a,
    "planes": lambda a: np.moveaxis(np.ascontiguousarray(np.moveaxis(a, -1, 0)), 0, -1),
    "one row repeated": lambda a: np.broadcast_to(a[:1], a.shape),
    "Fortran order": np.asfortranarray,
    "read-only": lambda a: np.frombuffer(a.tobytes(), np.uint8).reshape(a.shape),
    "one column": lambda a: a[:, 7:8],
    "one row": lambda a: a[7:8],
}


@each_case("view", VIEWS)
@each_case("channels", [1, 3, 4])
def test_views_give_the_same_tensor_as_their_copy(view: Any, channels: int) -> None:
    frame = view(noise(40, 50, channels))
    before = frame.copy()
    run = Preprocessor(spec(color="rgb"))
    expected = run(np.ascontiguousarray(frame).copy()).copy()
    np.testing.assert_array_equal(run(frame), expected)
    np.testing.assert_array_equal(frame, before)


def test_a_frame_as_cameras_give_it_is_not_copied() -> None:
    frame = noise(40, 50, 3)
    assert check_frame(frame) is frame
    assert check_frame(frame[3:30, 5:40]).base is frame


@each_case(
    ("frame", "says"),
    [
        (None, f"got NoneType, {messages.ARRAY} (H, W, 3) uint8, BGR"),
        ([[1, 2, 3]], f"got list, {messages.ARRAY}"),
        ("picture.jpg", f"got str, {messages.ARRAY}"),
        (b"bytes", "got bytes"),
        (
            np.zeros((4, 4, 3), np.float32),
            "got dtype float32, expected uint8 with values 0–255; multiply by 255 and convert",
        ),
        (np.zeros((4, 4, 3), np.float16), "multiply by 255 and convert first"),
        (np.zeros((4, 4, 3), np.int64), "got dtype int64, expected uint8 with values 0–255; convert it first"),
        (np.zeros((4, 4, 3), np.int8), "got dtype int8"),
        (np.zeros((4, 4, 3), bool), "got dtype bool"),
        (
            np.zeros((4, 4, 5), np.uint8),
            "got (4, 4, 5) uint8, expected (H, W, 3) uint8, BGR, (H, W) gray or (H, W, 4) BGRA",
        ),
        (np.zeros((4, 4, 2), np.uint8), "got (4, 4, 2)"),
        (np.zeros((1, 4, 4, 3), np.uint8), "got (1, 4, 4, 3)"),
        (np.zeros(12, np.uint8), "got (12,)"),
        (np.uint8(3), "got uint8"),
        (np.array(3, np.uint8), "got ()"),
        (np.zeros((0, 4, 3), np.uint8), "got (0, 4, 3)"),
        (np.zeros((4, 0, 3), np.uint8), "got (4, 0, 3)"),
        (np.zeros((4, 4, 0), np.uint8), "got (4, 4, 0)"),
        (np.zeros((0, 0), np.uint8), "got (0, 0)"),
    ],
)
def test_a_frame_that_cannot_be_used_is_refused_with_what_to_do(frame: Any, says: str) -> None:
    said = refusal(FrameError, Preprocessor(spec()), frame)
    assert said.startswith("frame: ")
    assert says in said


def test_a_refused_frame_does_not_disturb_the_next() -> None:
    run = Preprocessor(dataclasses.replace(spec(), resize="letterbox"))
    expected = run(noise(9, 30, 3)).copy()
    with pytest.raises(FrameError):
        run(np.zeros((4, 4, 5), np.uint8))
    np.testing.assert_array_equal(run(noise(9, 30, 3)), expected)


def test_the_result_does_not_depend_on_the_number_of_opencv_threads() -> None:
    frame = noise(720, 1280, 3)
    run = Preprocessor(spec(256, 256))
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        alone = run(frame).copy()
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(run(frame), alone)
