"""The flicker measure, against values worked out by hand: steady masks, noise, motion, cuts, and pictures of any size."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests.each_case import each_case

from segruntime.errors import FrameError
from segruntime.measures.flicker import FlickerMeter, pair_flicker, reduced

Array = npt.NDArray[Any]


def texture(height: int = 144, width: int = 256, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Smooth noise: something to follow at every pixel."""
    noise = np.random.default_rng(seed).normal(0, 1, (height, width))
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.asarray(np.clip(128 + smooth * 40 / smooth.std(), 0, 255), np.uint8)


def faint(height: int = 144, width: int = 256, seed: int = 0) -> npt.NDArray[np.uint8]:
    """`texture` with a tenth of its contrast, but for a camera that has no noise."""
    return np.asarray(np.rint(128 + (texture(height, width, seed).astype(np.float32) - 128) / 10), np.uint8)


def disk(x: float, y: float, radius: float, height: int = 144, width: int = 256) -> npt.NDArray[np.float32]:
    """A soft disk: 1 inside, 0 outside, four pixels of edge."""
    rows, columns = np.mgrid[:height, :width]
    return np.clip((radius - np.hypot(columns - x, rows - y)) / 4 + 0.5, 0, 1).astype(np.float32)


def box(height: int, width: int, shape: tuple[int, int] = (144, 256)) -> npt.NDArray[np.float32]:
    mask = np.zeros(shape, np.float32)
    mask[20 : 20 + height, 30 : 30 + width] = 1
    return mask


def test_a_still_picture_with_a_still_mask_does_not_flicker() -> None:
    meter = FlickerMeter()
    for _ in range(3):
        meter.add(texture(), disk(120, 70, 40))
    assert (meter.value, meter.uncompensated, meter.pairs, meter.left_out) == (0, 0, 2, 0)


def test_noise_over_a_still_picture_counts_with_its_expected_difference() -> None:
    """For two independent uniform values E|u - v| = 1/3 and E max(u, v) = 2/3, so the flicker is one half."""
    rng = np.random.default_rng(1)
    before, now = (rng.random((144, 256), dtype=np.float32) for _ in range(2))
    pair = pair_flicker(texture(), before, texture(), now)
    # five standard errors of 36,864 values: sqrt(1 / 18) / 192 each
    assert pair.change == pytest.approx(1 / 3, abs=0.0062)
    assert pair.person == pytest.approx(2 / 3, abs=0.0062)
    assert pair.explained == 1
    assert pair.value == pytest.approx(pair.change / pair.person)


def test_the_share_of_the_person_is_the_same_for_small_and_large_people() -> None:
    """A box that grows by a tenth: one of eleven parts is new, whatever its size."""
    for side in (20, 40, 100):
        pair = pair_flicker(texture(), box(side, side), texture(), box(side, side + side // 10))
        assert pair.value == pytest.approx(1 / 11)


def test_a_mask_that_moves_with_the_picture_hardly_flickers() -> None:
    scene, meter = texture(144, 400), FlickerMeter()
    for k in range(5):
        shift = 3 * k
        meter.add(np.ascontiguousarray(scene[:, shift : shift + 256]), disk(150 - shift, 70, 40))
    assert meter.value is not None
    assert meter.uncompensated is not None
    assert meter.value < 0.01
    assert meter.uncompensated > 10 * meter.value


def test_a_mask_that_stays_behind_a_moving_picture_does() -> None:
    """The disk stands, the picture moves by 3 pixels: what is carried along misses by 2 * 2r * 3 of pi r squared."""
    scene, still = texture(144, 400), disk(128, 70, 40)
    pair = pair_flicker(scene[:, :256].copy(), still, scene[:, 3:259].copy(), still)
    missed, area = 2 * 2 * 40 * 3, np.pi * 40**2
    assert pair.value == pytest.approx(missed / (area + missed / 2), rel=0.1)


def test_camera_noise_is_no_flicker_and_no_cut() -> None:
    rng, scene = np.random.default_rng(2), cv2.resize(texture(), (1280, 720))
    meter = FlickerMeter()
    for _ in range(3):
        noisy = np.clip(scene + rng.normal(0, 4, scene.shape), 0, 255).astype(np.uint8)
        meter.add(noisy, cv2.resize(disk(120, 70, 40), (1280, 720)))
    assert meter.pairs == 2
    assert meter.value is not None
    assert meter.value < 0.01


def test_a_scene_cut_is_left_out() -> None:
    meter = FlickerMeter()
    meter.add(texture(seed=0), disk(60, 70, 40))
    cut = meter.add(texture(seed=5), disk(180, 70, 40))
    assert cut is not None
    assert cut.is_cut
    assert cut.value is None
    assert (meter.value, meter.pairs, meter.left_out) == (None, 0, 1)
    meter.add(texture(seed=5), disk(180, 70, 40))
    assert (meter.value, meter.pairs) == (0, 1)


def test_the_value_of_a_stream_weighs_its_pairs_by_their_people() -> None:
    meter = FlickerMeter()
    for mask in (box(40, 40), box(40, 44), box(40, 44)):
        meter.add(texture(), mask)
    # 160 pixels of 1760 + 1760
    assert meter.value == pytest.approx(160 / 3520)


def test_frames_that_do_not_follow_one_another_are_not_compared() -> None:
    meter = FlickerMeter()
    meter.add(texture(), box(40, 40))
    meter.cut()
    assert meter.add(texture(), box(80, 80)) is None
    assert (meter.value, meter.pairs, meter.left_out) == (None, 0, 0)


def test_a_change_of_size_is_left_out() -> None:
    meter = FlickerMeter()
    meter.add(texture(), box(40, 40))
    assert meter.add(texture(100, 100), box(40, 40, (100, 100))) is None
    assert (meter.value, meter.left_out) == (None, 1)


def test_without_frames_there_is_no_value() -> None:
    assert FlickerMeter().value is None
    assert FlickerMeter().uncompensated is None


def test_nobody_there_is_steady_and_faint_noise_is_no_person() -> None:
    nobody = np.zeros((144, 256), np.float32)
    assert pair_flicker(texture(), nobody, texture(), nobody).value == 0
    faint = nobody.copy()
    faint[::2, ::2] = 0.004  # a quarter of the pixels: 0.001 of the picture, counted against 1 % of it
    assert pair_flicker(texture(), nobody, texture(), faint).value == pytest.approx(0.1)


def test_bytes_and_floats_give_the_same_value() -> None:
    before, now = disk(120, 70, 40), disk(120, 70, 43)
    bytes_ = pair_flicker(
        texture(), np.rint(before * 255).astype(np.uint8), texture(), np.rint(now * 255).astype(np.uint8)
    )
    assert bytes_.value == pytest.approx(pair_flicker(texture(), before, texture(), now).value, abs=0.002)


def test_a_large_frame_is_measured_at_256_pixels_with_a_mask_of_any_size() -> None:
    """The same scene five times as large, its mask at the network's size."""
    large = cv2.resize(texture(), (1280, 720), interpolation=cv2.INTER_LINEAR)
    before, now = disk(120, 70, 40), disk(120, 70, 44)
    small = pair_flicker(texture(), before, texture(), now)
    stretched = [cv2.resize(one, (256, 256)) for one in (before, now)]
    assert pair_flicker(large, stretched[0], large, stretched[1]).value == pytest.approx(small.value, rel=0.05)


def test_values_that_are_no_alpha_are_taken_as_the_nearest() -> None:
    wild = np.full((144, 256), np.nan, np.float32)
    wild[:, 128:] = 7
    plain = np.zeros((144, 256), np.float32)
    plain[:, 128:] = 1
    assert pair_flicker(texture(), wild, texture(), plain).value == 0


@each_case("shape", [(1, 1), (1, 3000), (3000, 1), (16, 300), (300, 16), (8, 8), (33, 31)])
def test_pictures_of_any_size_can_be_measured(shape: tuple[int, int]) -> None:
    gray = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    full, empty = np.full(shape, 255, np.uint8), np.zeros(shape, np.uint8)
    assert pair_flicker(gray, full, gray, full).value == 0
    assert pair_flicker(gray, empty, gray, full).value == 1


@each_case(
    ("gray", "alpha", "message"),
    [
        (
            np.zeros((4, 4, 3), np.uint8),
            np.zeros((4, 4), np.uint8),
            r"gray: got \(4, 4, 3\) uint8, expected \(H, W\) uint8",
        ),
        (
            np.zeros((4, 4), np.uint8),
            np.zeros((4, 4)),
            r"alpha: got \(4, 4\) float64, expected \(H, W\) uint8 or float32",
        ),
        (np.zeros((0, 4), np.uint8), np.zeros((4, 4), np.uint8), r"gray: got \(0, 4\) uint8"),
        (None, np.zeros((4, 4), np.uint8), "gray: got NoneType"),
    ],
)
def test_what_is_no_frame_or_mask_is_refused(gray: Array, alpha: Array, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        FlickerMeter().add(gray, alpha)


def test_frames_of_two_sizes_are_no_pair() -> None:
    with pytest.raises(FrameError, match=r"gray: got \(144, 256\) and \(9, 9\), expected two frames of one size"):
        pair_flicker(texture(), box(9, 9), texture(9, 9), box(9, 9))


@each_case(
    ("frame", "measured"),
    [((720, 1280), (144, 256)), ((1280, 720), (256, 144)), ((100, 90), (100, 90)), ((1, 999), (1, 256))],
)
def test_frames_are_reduced_to_256_pixels_and_never_enlarged(frame: tuple[int, int], measured: tuple[int, int]) -> None:
    gray, alpha = reduced(np.zeros(frame, np.uint8), np.full((10, 10), 255, np.uint8))
    assert gray.shape == alpha.shape == measured
    assert (alpha == 1).all()


def test_a_pair_counts_as_much_as_it_explains() -> None:
    """A pair of which a third is new picture, between two that are whole."""
    scene, other = texture(), texture(seed=9)
    partly = np.vstack([scene[:96], other[96:]])
    meter = FlickerMeter()
    frames = [(scene, box(40, 40)), (scene, box(40, 44)), (partly, box(40, 60)), (partly, box(40, 60))]
    pairs = [pair for pair in (meter.add(*frame) for frame in frames) if pair is not None]
    assert [0.5 < pair.explained < 0.8 for pair in pairs] == [False, True, False]
    changed = sum(pair.change * pair.explained for pair in pairs)
    assert meter.value == pytest.approx(changed / sum(pair.person * pair.explained for pair in pairs))


def test_what_comes_into_the_picture_from_outside_is_not_explained() -> None:
    """Faint texture, so that brightness alone would not tell: the picture moves by 16 pixels, 16 columns are new."""
    scene = faint(144, 400)
    pair = pair_flicker(scene[:, :256].copy(), box(9, 9), scene[:, 16:272].copy(), box(9, 9))
    assert 0.5 < pair.explained <= 1 - 15 / 256


def test_what_somebody_uncovers_is_not_explained() -> None:
    """Faint texture again: a square of 80 pixels moves by 6, so 6 columns of 80 are uncovered, which no flow explains."""
    behind, before = faint(seed=1), faint(seed=2)
    frames = []
    for left in (80, 86):
        frame = behind.copy()
        frame[30:110, left : left + 80] = before[:80, :80]
        frames.append(frame)
    pair = pair_flicker(frames[0], box(9, 9), frames[1], box(9, 9))
    assert 0.5 < pair.explained <= 1 - 6 * 80 / (144 * 256)
