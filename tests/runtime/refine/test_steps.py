"""Each step of the soft-alpha chain by itself, against what its source says; the guided filter and the ways up."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests.each_case import each_case
from tests.refusals import refusal

from segruntime.errors import OptionError
from segruntime.refine.bounds import Bounds, apply_bounds, bounds_table
from segruntime.refine.guided import Coefficients, Guided, GuidedFilter
from segruntime.refine.islands import Islands, without_islands
from segruntime.refine.presets import Preset
from segruntime.refine.refiner import feather
from segruntime.refine.shrink import half_size, shrink
from segruntime.refine.temporal import Temporal, blended, memory_table, motion, stillness_table, uncertainty
from segruntime.refine.upsample import EdgeUpsampler, bilinear

SIZES = [(1, 1), (1, 7), (9, 1), (37, 53), (240, 321)]


def noise(shape: tuple[int, int], seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def soft(shape: tuple[int, int], seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def test_the_uncertainty_is_the_squared_binary_entropy() -> None:
    p = np.linspace(0, 1, 2001)[1:-1]
    entropy = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    assert np.abs(uncertainty(p) - entropy**2).max() < 0.002
    np.testing.assert_allclose(uncertainty(np.array([0.0, 0.5, 1.0])), [0, 1, 0], atol=1e-4)


MEDIAPIPE = Temporal(sure=0.0, unsure=0.9, moving=np.inf)
GATED = Temporal(sure=0.0, unsure=0.9)


@each_case(("temporal", "then"), [(MEDIAPIPE, 1), (MEDIAPIPE, 0), (GATED, 0)])
def test_without_motion_or_without_the_gate_the_blend_is_mediapipes(temporal: Temporal, then: int) -> None:
    mask, previous = soft((60, 80)), soft((60, 80), 1)
    moved = motion(noise((60, 80)), noise((60, 80), then))
    got = blended(mask, previous, moved, memory_table(temporal), stillness_table(temporal))
    p = mask.astype(np.float64)
    # the table knows p in 255 steps only, and the uncertainty rises by less than 4 a unit
    assert np.abs(got - (p + (previous - p) * uncertainty(p) * 0.9)).max() < 0.5 / 255 * 4


def test_where_the_picture_moves_the_past_has_no_say() -> None:
    temporal = Temporal(sure=0.8, unsure=0.9)
    before = np.full((40, 40), 60, np.uint8)
    now = before.copy()
    now[:, 20:] += 6
    mask, previous = soft((40, 40)), soft((40, 40), 1)
    got = blended(mask, previous, motion(now, before), memory_table(temporal), stillness_table(temporal))
    np.testing.assert_array_equal(got[:, 22:], mask[:, 22:])
    assert np.abs(got - previous)[:, :17].mean() < 0.3 * np.abs(mask - previous)[:, :17].mean()


def test_camera_noise_is_no_motion_and_a_slow_fade_of_the_light_is() -> None:
    random = np.random.default_rng(3)
    scene = np.full((64, 64), 90.0)
    noisy = [np.clip(scene + random.normal(0, 0.8, scene.shape), 0, 255).round().astype(np.uint8) for _ in range(2)]
    stillness = stillness_table(Temporal(sure=0.5, unsure=0.9))
    assert stillness[motion(*noisy)].min() > 0.8
    assert stillness[motion(noisy[0], noisy[0] + np.uint8(5))].max() == 0


@each_case("size", SIZES)
def test_the_blend_stays_between_the_mask_and_the_past(size: tuple[int, int]) -> None:
    temporal = Temporal(sure=0.5, unsure=0.95)
    mask, previous = soft(size), soft(size, 1)
    moved = motion(noise(size), noise(size, 1))
    got = blended(mask, previous, moved, memory_table(temporal), stillness_table(temporal))
    assert got.dtype == np.float32
    assert (got >= np.minimum(mask, previous) - 1e-6).all()
    assert (got <= np.maximum(mask, previous) + 1e-6).all()


@each_case(("low", "high"), [(0.0, 1.0), (0.1, 0.9), (0.4, 0.5)])
def test_bounds_are_a_smooth_step_between_the_two_levels(low: float, high: float) -> None:
    table = bounds_table(Bounds(low=low, high=high)).astype(int)
    levels = np.arange(256) / 255
    assert table[levels <= low].max() == 0
    assert table[levels >= high].min() == 255
    assert (np.diff(table) >= 0).all()
    middle = (low + high) / 2
    # steepest in the middle, 1.5 / (high - low), where the step is a half
    assert np.interp(middle, levels, table) == pytest.approx(127.5, abs=0.5 + 0.75 / (high - low))


def test_bounds_may_be_applied_in_place() -> None:
    alpha, table = noise((30, 40)), bounds_table(Bounds(low=0.1, high=0.9))
    expected = table[alpha]
    apply_bounds(alpha, table, alpha)
    np.testing.assert_array_equal(alpha, expected)


@each_case("pixels", [1, 2, 3, 8, 15])
def test_a_feather_only_grows_and_ends_where_it_says(pixels: int) -> None:
    alpha = np.zeros((101, 101), np.uint8)
    alpha[40:61, 40:61] = 255
    alpha[50, 50] = 90
    grown = feather(alpha, pixels, np.empty_like(alpha))
    assert (grown >= alpha).all()
    row = grown[50].astype(int)
    assert row[60 + pixels] > 0 == row[61 + pixels :].max()
    assert (np.diff(row[60:]) <= 0).all()
    # the corner of the square is the furthest along a diagonal
    y, x = np.nonzero(grown)
    distance = np.hypot(np.maximum(0, np.abs(y - 50) - 10), np.maximum(0, np.abs(x - 50) - 10))
    assert distance.max() <= 1.2 * pixels + 1


@each_case("size", SIZES)
def test_a_feather_never_lowers_alpha_and_leaves_nothing_at_nothing(size: tuple[int, int]) -> None:
    alpha = noise(size)
    given = alpha.copy()
    assert (feather(alpha, 5, np.empty_like(alpha)) >= given).all()
    np.testing.assert_array_equal(alpha, given)
    empty = np.zeros(size, np.uint8)
    assert feather(empty, 5, empty).max() == 0


def scene() -> npt.NDArray[np.float32]:
    """A soft large disc and, apart from it, a soft small one."""
    y, x = np.mgrid[0:100, 0:120].astype(np.float32)
    large = np.clip((30 - np.hypot(x - 40, y - 50)) / 8, 0, 1)
    small = np.clip((6 - np.hypot(x - 105, y - 20)) / 4, 0, 1)
    return np.asarray(np.maximum(large, small), np.float32)


@each_case("islands", [Islands(min_area=0.05), Islands(largest_only=True)])
def test_an_island_goes_and_everything_else_stays_as_soft_as_it_was(islands: Islands) -> None:
    mask = scene()
    given = mask.copy()
    cleaned = without_islands(mask, islands)
    np.testing.assert_array_equal(cleaned[:, :80], mask[:, :80])
    assert cleaned[:, 90:].max() == 0 < mask[:, 90:].max()
    np.testing.assert_array_equal(mask, given)


@each_case("islands", [Islands(), Islands(min_area=0.001), Islands(largest_only=True)])
@each_case("level", [0.0, 0.05, 0.6, 1.0])
@each_case("size", SIZES)
def test_one_component_or_none_is_left_alone(islands: Islands, level: float, size: tuple[int, int]) -> None:
    mask = np.full(size, level, np.float32)
    np.testing.assert_array_equal(without_islands(mask, islands), mask)


def test_two_people_of_enough_size_both_stay() -> None:
    mask = np.maximum(scene(), scene()[:, ::-1])
    kept = without_islands(mask, Islands(min_area=0.05))
    assert kept[50, 40] == kept[50, 79] == 1


@each_case("size", [(256, 256), (180, 320), (90, 160), (45, 80), (100, 100), (3, 5), (720, 1280)])
def test_a_shrunk_guide_is_the_picture_at_another_size(size: tuple[int, int]) -> None:
    y, x = np.mgrid[0:720, 0:1280]
    guide = (x * 200 / 1279 + y * 50 / 719).astype(np.uint8)
    small = shrink(guide, size)
    rows, columns = (np.arange(size[0]) + 0.5) / size[0], (np.arange(size[1]) + 0.5) / size[1]
    expected = columns[None] * 200 + rows[:, None] * 50
    assert small.shape == size
    assert np.abs(small - expected).max() < 3  # truncated, and rounded at each halving


def test_shrinking_averages_noise_away_and_does_not_pick_pixels() -> None:
    small = shrink(noise((720, 1280)), (180, 320))
    # the mean of 16 values of variance (256² - 1) / 12
    assert small.std() == pytest.approx(np.sqrt((256**2 - 1) / 12 / 16), rel=0.05)


@each_case(
    ("frame", "mask", "expected"),
    [
        ((720, 1280), (256, 256), (360, 640)),
        ((1080, 1920), (256, 256), (270, 480)),
        ((2160, 3840), (256, 256), (270, 480)),
        ((380, 340), (256, 256), (256, 256)),
        ((1, 1), (256, 256), (256, 256)),
        ((721, 1281), (64, 64), (361, 641)),
    ],
)
def test_half_size_is_never_over_a_quarter_of_a_megapixel(frame: Any, mask: Any, expected: Any) -> None:
    assert half_size(frame, mask) == expected


@each_case(
    ("make", "says"),
    [
        (lambda: Temporal(sure=0.5, unsure=1.0), "temporal: got sure=0.5, unsure=1.0, expected 0 ≤ sure ≤ unsure < 1"),
        (lambda: Temporal(sure=0.9, unsure=0.5), "sure=0.9, unsure=0.5"),
        (lambda: Temporal(sure=float("nan"), unsure=0.5), "sure=nan"),
        (lambda: Temporal(sure=0, unsure=0.5, still=4, moving=4), "got still=4, moving=4, expected 0 ≤ still < moving"),
        (lambda: Temporal(sure=0, unsure=0.5, moving=16), "moving=16, expected 0 ≤ still < moving ≤ 15, or moving=inf"),
        (lambda: Temporal(sure=0, unsure=0.5, still=20, moving=float("inf")), "still=20, moving=inf"),
        (lambda: Temporal(sure=0, unsure=0.5, moving=float("nan")), "moving=nan"),
        (lambda: Bounds(low=0.5, high=0.5), "bounds: got low=0.5, high=0.5, expected 0 ≤ low < high ≤ 1"),
        (lambda: Bounds(low=0.0, high=1.5), "high=1.5"),
        (lambda: Islands(level=1.0), "islands: got level=1.0"),
        (lambda: Islands(min_area=-0.1), "min_area=-0.1"),
        (lambda: Preset(feather=-1), "feather: got -1, expected a whole number of pixels from 0 to 64"),
        (lambda: Preset(feather=1.5), "feather: got 1.5"),  # type: ignore[arg-type]
        (lambda: Preset(feather=True), "feather: got True"),
    ],
)
def test_a_step_refuses_what_makes_no_sense(make: Any, says: str) -> None:
    assert says in refusal(OptionError, make)


def test_motion_does_not_wrap_round_where_much_changes() -> None:
    black, white = np.zeros((9, 9), np.uint8), np.full((9, 9), 255, np.uint8)
    assert motion(black, white).min() == motion(white, black).min() == 255
    assert cv2.countNonZero(motion(white, white)) == 0


Float = npt.NDArray[np.float64]


def random_pair(height: int, width: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    return random.random((height, width), dtype=np.float32), random.integers(0, 256, (height, width), dtype=np.uint8)


def paper(mask: Float, luma: Float, radius: int, eps: float) -> Float:
    """He, Sun & Tang, "Guided image filtering", equations 5, 6 and 8, window by window; what lies outside is left out."""
    height, width = mask.shape

    def windows(y: int, x: int) -> tuple[slice, slice]:
        return slice(max(0, y - radius), y + radius + 1), slice(max(0, x - radius), x + radius + 1)

    a, b = np.empty_like(mask), np.empty_like(mask)
    for y, x in np.ndindex(height, width):
        i, p = luma[windows(y, x)], mask[windows(y, x)]
        a[y, x] = ((i * p).mean() - i.mean() * p.mean()) / (i.var() + eps)
        b[y, x] = p.mean() - a[y, x] * i.mean()
    return np.array(
        [[a[windows(y, x)].mean() * luma[y, x] + b[windows(y, x)].mean() for x in range(width)] for y in range(height)]
    )


@each_case(("radius", "eps"), [(1, 1e-4), (2, 1e-3), (4, 1e-2)])
def test_at_one_size_it_is_the_papers_guided_filter(radius: int, eps: float) -> None:
    mask, guide = random_pair(30, 41)
    slope, offset = GuidedFilter(Guided(radius=radius, eps=eps))(mask, guide)
    expected = 255 * paper(mask.astype(np.float64), guide / 255, radius, eps)
    inside = np.s_[2 * radius : -2 * radius, 2 * radius : -2 * radius]  # at the border the windows differ on purpose
    assert np.abs(slope * guide + offset - expected)[inside].max() < 0.01


@each_case("size", [(1, 1), (1, 9), (7, 1), (30, 41)])
@each_case("level", [0.0, 0.3, 1.0])
def test_a_flat_mask_stays_flat_whatever_the_picture(size: tuple[int, int], level: float) -> None:
    _, guide = random_pair(*size)
    slope, offset = GuidedFilter(Guided(radius=3, eps=1e-3))(np.full(size, level, np.float32), guide)
    assert np.abs(slope * guide + offset - 255 * level).max() < 0.05


def test_the_planes_are_used_again_without_a_trace_of_the_frame_before() -> None:
    filter_ = GuidedFilter(Guided(radius=2, eps=1e-3))
    mask, guide = random_pair(30, 41)
    first = [plane.copy() for plane in filter_(mask, guide)]
    filter_(1 - mask, guide[::-1].copy())
    filter_(*random_pair(12, 9))
    for plane, again in zip(first, filter_(mask, guide), strict=True):
        np.testing.assert_array_equal(plane, again)


def test_a_mask_at_a_sixteenth_finds_the_edge_of_the_picture_again() -> None:
    """A dark disc on a bright wall; the small mask knows of it only in soft steps of 4x4 pixels."""
    y, x = np.mgrid[0:256, 0:256]
    disc = np.hypot(x - 130, y - 125) < 80
    guide = np.where(disc, 60, 190).astype(np.uint8)
    truth = np.where(disc, 255, 0)
    mask = np.asarray(cv2.resize(disc.astype(np.float32), (64, 64), interpolation=cv2.INTER_AREA), np.float32)
    small = np.asarray(cv2.resize(guide, (64, 64), interpolation=cv2.INTER_AREA), np.uint8)
    found = GuidedFilter(Guided(radius=1, eps=1e-3))(mask, small)
    along_edges = EdgeUpsampler()(found, guide, np.empty_like(guide))
    plain = bilinear(mask, np.empty_like(guide))
    error, plain_error = (np.abs(alpha.astype(int) - truth).mean() for alpha in (along_edges, plain))
    assert error < 0.25 * plain_error


@each_case("size", [(1, 1), (1, 7), (9, 1), (37, 53), (240, 321), (2, 60_000)])
@each_case("small", [(1, 1), (16, 16), (64, 48)])
def test_strips_give_what_the_whole_frame_gives(size: tuple[int, int], small: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    found = Coefficients(*(random.normal(0, s, small).astype(np.float32) for s in (1, 80)))
    guide = random.integers(0, 256, size, dtype=np.uint8)
    out = EdgeUpsampler()(found, guide, np.empty(size, np.uint8))
    smaller = size[0] < small[0] and size[1] < small[1]
    slope, offset = (
        cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR) for plane in found
    )
    exact = np.clip(np.asarray(slope, np.float64) * guide + offset, 0, 255)
    assert np.abs(out - exact).max() <= 0.51


@each_case("size", [(1, 1), (1, 7), (9, 1), (37, 53), (240, 321)])
def test_bilinear_in_8_bits_is_within_a_step_of_float(size: tuple[int, int]) -> None:
    mask, _ = random_pair(16, 16)
    smaller = size[0] < 16 and size[1] < 16
    exact = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    # half a step for each of the two roundings, and OpenCV's weights of 1/2048 in both directions
    bound = 0.5 + 0.5 + 2 * 255 / 2048
    assert np.abs(bilinear(mask, np.empty(size, np.uint8)) - 255 * np.asarray(exact, np.float64)).max() <= bound


@each_case(
    ("options", "says"),
    [
        ({"radius": 0, "eps": 1e-3}, "guided: got radius=0, eps=0.001, expected 1 ≤ radius ≤ 64, 0 < eps ≤ 1"),
        ({"radius": 65, "eps": 1e-3}, "radius=65"),
        ({"radius": 2, "eps": 0.0}, "eps=0.0"),
        ({"radius": 2, "eps": 1e-3, "scale": "full"}, "guided: got scale='full', expected 'mask' or 'half'"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(options: dict[str, Any], says: str) -> None:
    assert says in refusal(OptionError, Guided, **options)
