"""What comes in: NaN is background, what is outside 0–1 the nearer end of it, and any layout in memory the same picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests import messages
from tests.each_case import each_case

import segruntime
from segruntime import BlurBehind, Refiner, composite
from segruntime.arrays import alpha_bytes, as_probability, check_colour, within_unit
from segruntime.compositing.blend import blend
from segruntime.compositing.light_wrap import light_wrap
from segruntime.errors import FrameError
from segruntime.measures.flicker import FlickerMeter, reduced
from segruntime.model_file.contract import OutputSpec
from segruntime.postprocess import Postprocessor
from segruntime.refine import PRESETS

Array = npt.NDArray[Any]
View = Callable[[Array], Array]

SIGNALING = np.array([0x7F800001, 0xFF800001, 0x7FBFFFFF], np.uint32).view(np.float32)
NUMBERS = np.array([0, 0.25, 0.5, 253 / 255, 254 / 255, 255 / 256, 1, -0.0], np.float32)
BEYOND = np.array([1.0000001, 1.5, 300, 1e9, 1e38, 3.4e38, np.inf, -1e-9, -0.5, -1e9, -1e38, -np.inf], np.float32)
DENORMALS = np.array([1e-40, -1e-40, 1.4e-45, -1.4e-45], np.float32)
VALUES = np.concatenate([np.array([np.nan, -np.nan], np.float32), SIGNALING, NUMBERS, BEYOND, DENORMALS])


def read_only(array: Array) -> Array:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def gaps(array: Array) -> Array:
    padded = np.zeros((len(array), array.shape[1] + 13, *array.shape[2:]), array.dtype)
    padded[:, : array.shape[1]] = array
    return padded[:, : array.shape[1]]


VIEWS: dict[str, View] = {
    "packed": np.array,
    "rows with gaps": gaps,
    "part of a larger one": lambda a: np.pad(a, ((2, 3), (5, 1), (0, 0))[: a.ndim])[2:-3, 5:-1],
    "every other row": lambda a: np.repeat(a, 2, axis=0)[::2],
    "every other column": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "upside down": lambda a: a[::-1].copy()[::-1],
    "mirrored": lambda a: a[:, ::-1].copy()[:, ::-1],
    "Fortran order": np.asfortranarray,
    "read-only": read_only,
}


def byte_of(value: float) -> int:
    """A float32's byte, in float64: what is not above 0 is 0; 254 of 255 counts as certain."""
    steps = round(255 * min(value, 1.0)) if value > 0 else 0
    return 255 if steps == 254 else steps


def strange(width: int, height: int = 5) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Every value in turn, at other columns for each width, and the bytes that they are."""
    picked = np.resize(np.roll(VALUES, width), (height, width))
    return picked, np.array([[byte_of(float(one)) for one in row] for row in picked], np.uint8)


def texture(*shape: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def soft(height: int, width: int) -> npt.NDArray[np.float32]:
    y, x = np.mgrid[0:height, 0:width]
    away = np.hypot((x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5)
    return np.clip((0.4 - away) * 8, 0, 1).astype(np.float32)


def widths_and_views() -> Iterator[tuple[int, View, str]]:
    for width in range(1, 71):
        for name, view in VIEWS.items():
            yield width, view, f"{width} wide, {name}"


def test_alpha_of_any_values_width_and_strides_becomes_the_bytes_of_the_formula() -> None:
    for width, view, case in widths_and_views():
        alpha, expected = strange(width)
        np.testing.assert_array_equal(alpha_bytes(view(alpha)), expected, case)


def test_a_composite_with_alpha_of_any_values_width_and_strides_is_the_blend_of_these_bytes() -> None:
    for width, view, case in widths_and_views():
        alpha, weight = strange(width)
        over, under = texture(5, width, 3, seed=1), texture(5, width, 3, seed=2)
        w = weight[..., None].astype(int)
        expected = (over * w + under * (255 - w) + 127) // 255
        np.testing.assert_array_equal(composite(over, view(alpha), under), expected, case)


def test_a_mask_of_any_values_width_and_strides_is_within_0_and_1() -> None:
    for width, view, case in widths_and_views():
        mask, _ = strange(width)
        wanted = np.array([[min(x, 1.0) if x > 0 else 0.0 for x in map(float, row)] for row in mask])
        found = within_unit(view(mask))
        np.testing.assert_array_equal(found, wanted.astype(np.float32), case)
        assert not np.signbit(found).any(), f"{case}: a zero with a sign is equal, but not the same bytes"
        steps = np.minimum(wanted * 256 / 255, 1)
        # the factor is rounded to float32, by up to a step of the result, and the product by half a step
        away = np.abs(as_probability(view(mask)) - steps) / np.spacing(steps.astype(np.float32))
        assert away.max() <= 1.5, case


def test_a_large_alpha_is_the_same_in_every_strip() -> None:
    alpha, expected = strange(1280)
    rows = 300  # several strips of both kernels
    np.testing.assert_array_equal(alpha_bytes(np.tile(alpha, (rows // 5, 1))), np.tile(expected, (rows // 5, 1)))


@each_case("preset", PRESETS)
def test_a_refined_mask_takes_a_strange_value_for_what_it_counts_as(preset: str) -> None:
    guide = texture(30, 40)
    for width in range(1, 71):
        mask, _ = strange(width, 9)
        plain = np.where(mask > 0, np.minimum(mask, 1), 0).astype(np.float32)
        ours, theirs = Refiner(preset), Refiner(preset)
        name, view = list(VIEWS.items())[width % len(VIEWS)]
        for _ in range(2):
            np.testing.assert_array_equal(ours(view(mask), guide), theirs(plain, guide), f"{width} wide, {name}")


def spec(**changes: Any) -> OutputSpec:
    facts = {"layout": "NHWC", "dtype": "float32", "meaning": "probability", "channels": 1, "person_channel": 0}
    return OutputSpec(width=31, height=17, labels=(), **{**facts, **changes})


def test_a_networks_nan_is_background_and_does_not_spread_when_it_is_scaled_up() -> None:
    for value in (np.nan, *SIGNALING, -np.inf, -1e38):
        output, plain = soft(17, 31), soft(17, 31)
        output[8, 15], plain[8, 15] = value, 0
        found = Postprocessor(spec())(output[None, ..., None], (0, 0, 31, 17), (60, 90))
        wanted = Postprocessor(spec())(plain[None, ..., None], (0, 0, 31, 17), (60, 90))
        np.testing.assert_array_equal(found, wanted, f"{value}")
        assert 0 <= found.min() <= found.max() <= 1


def test_who_compares_files_sees_a_networks_nan() -> None:
    output = np.full((1, 17, 31, 1), np.nan, np.float32)
    assert np.isnan(Postprocessor(spec()).probability(output)).all()
    assert np.isnan(Postprocessor(spec(meaning="logits")).probability(output)).all()
    two = spec(meaning="logits", channels=2)
    assert np.isnan(Postprocessor(two).probability(np.repeat(output, 2, axis=-1))).all()


def test_an_infinite_logit_counts_as_the_largest_number() -> None:
    def probability(*logits: float) -> float:
        output = np.full((1, 17, 31, len(logits)), logits, np.float32)
        found = Postprocessor(spec(meaning="logits", channels=len(logits))).probability(output)
        assert (found == found[0, 0]).all() or math.isnan(found[0, 0])
        return float(found[0, 0])

    inf, big = math.inf, 3.4e38
    assert [probability(inf), probability(-inf), probability(big), probability(-big)] == [1, 0, 1, 0]
    assert [probability(inf, 3), probability(-inf, 3), probability(3, inf), probability(3, -inf)] == [1, 0, 0, 1]
    assert [probability(inf, inf), probability(-inf, -inf), probability(inf, -inf), probability(big, -big)] == [
        *(0.5, 0.5),
        *(1, 1),
    ]
    assert probability(inf, 0, inf) == 0.5


@pytest.fixture(params=["tflite", "onnx"])
def broken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> segruntime.Segmenter:
    """The bundled network, whose probability holds a NaN in the middle of the person."""
    segmenter = segruntime.load(backend=request.param)
    whole = segmenter._postprocess.probability

    def holed(output: Array) -> npt.NDArray[np.float32]:
        mask = np.array(whole(output))
        mask[100:140, 100:140] = np.nan
        return mask

    monkeypatch.setattr(segmenter._postprocess, "probability", holed)
    return segmenter


def test_alpha_and_coarse_of_a_network_that_gives_nan_are_numbers(broken: segruntime.Segmenter) -> None:
    frame = texture(90, 120, 3)
    height, width = broken.contract.output.height, broken.contract.output.width
    assert np.isnan(broken.network_mask(frame)).sum() == 40 * 40
    coarse = broken.coarse(frame)
    assert coarse.shape == (height, width)
    assert (coarse[100:140, 100:140] == 0).all()
    for alpha in (broken.alpha(frame), broken.alpha(frame, gaps(np.zeros((90, 120), np.float32)))):
        assert 0 <= alpha.min() <= alpha.max() <= 1
        assert (alpha[48 * 90 // 120 : 49 * 90 // 120, 50:60] == 0).all()


def test_a_file_that_gives_nan_is_not_the_same_as_where_it_was_made(broken: segruntime.Segmenter) -> None:
    assert not broken.self_test().same


def test_flicker_takes_nan_for_background_before_it_reduces_the_mask() -> None:
    gray, alpha = texture(300, 600), np.ones((300, 600), np.float32)
    for value in (np.nan, *SIGNALING, -np.inf):
        holed, plain = alpha.copy(), alpha.copy()
        holed[::7, ::5], plain[::7, ::5] = value, 0
        np.testing.assert_array_equal(reduced(gray, holed)[1], reduced(gray, plain)[1], f"{value}")


FRAME, PLANE, MASK = texture(50, 60, 3), texture(50, 60, seed=3), (255 * soft(50, 60)).astype(np.uint8)
TAKES_A_FRAME: dict[str, Callable[[View], Array]] = {
    "composite": lambda view: composite(view(FRAME), view(MASK), view(FRAME[::-1])),
    "blend": lambda view: blend(view(PLANE), view(MASK), view(PLANE[::-1])),
    "blur": lambda view: BlurBehind(0.5)(view(FRAME), view(MASK)),
    "blur of a plane": lambda view: BlurBehind(0.5)(view(PLANE), view(MASK)),
    "light wrap": lambda view: light_wrap(view(FRAME), view(MASK), view(FRAME[::-1])),
    "refine": lambda view: Refiner("best")(view(soft(20, 30)), view(PLANE)),
    "alpha": lambda view: segruntime.load().alpha(view(FRAME)),
    "coarse": lambda view: segruntime.load().coarse(view(FRAME)),
    "flicker": lambda view: np.stack(reduced(view(PLANE), view(soft(20, 30)))),
}


@each_case("takes", TAKES_A_FRAME)
def test_a_frame_whose_rows_are_padded_is_the_same_frame(takes: Callable[[View], Array]) -> None:
    expected = takes(np.array)
    for name, view in VIEWS.items():
        np.testing.assert_array_equal(takes(view), expected, name)


FOREIGN = soft(4, 6).astype(">f4")
REFUSES: dict[str, Callable[[], Any]] = {
    "alpha": lambda: composite(texture(4, 6, 3), FOREIGN, (0, 0, 0)),
    "coarse": lambda: Refiner("fast")(FOREIGN, texture(4, 6)),
    "out": lambda: Postprocessor(spec())(np.zeros((1, 17, 31, 1), np.float32), (0, 0, 31, 17), (4, 6), FOREIGN),
}


@each_case("name", list(REFUSES))
def test_bytes_in_the_other_order_are_refused_with_what_turns_them(name: str) -> None:
    with pytest.raises(FrameError) as caught:
        REFUSES[name]()
    said = rf"{name}: got (4, 6) float32 with its bytes in the other order (.astype('float32') turns them), expected (4, 6)"
    assert str(caught.value).startswith(
        said if name != "coarse" else said.replace("expected (4, 6)", "expected (h, w)")
    )
    assert "\n" not in str(caught.value)


def test_a_colour_is_whole_numbers_of_a_byte() -> None:
    assert check_colour("colour", (0, 128, 255), (3,), "three numbers").tolist() == [0, 128, 255]
    for value in (np.nan, math.inf, 0.5, -1, 256, None, "red", (1, 2, 3)):
        with pytest.raises(FrameError, match=r"colour: got .*, expected a number of 0–255"):
            check_colour("colour", value, (), "a number")


def test_what_is_no_array_of_the_right_kind_is_refused_by_the_measure() -> None:
    with pytest.raises(FrameError, match=rf"alpha: got list, {messages.ARRAY} \(H, W\) uint8 or float32"):
        FlickerMeter().add(texture(4, 6), [])  # type: ignore[arg-type]
