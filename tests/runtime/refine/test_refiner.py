"""The chain as a whole, for every preset: small mask and luma in, soft alpha of the frame's size out."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from tests import messages
from tests.each_case import each_case
from tests.refusals import refusal

from segruntime.errors import FrameError, OptionError
from segruntime.refine import PRESETS, Preset, Refiner
from segruntime.refine.bounds import Bounds
from segruntime.refine.islands import Islands
from segruntime.refine.temporal import Temporal

SIZES = [(1, 1), (1, 7), (9, 1), (37, 53), (240, 321), (255, 257), (600, 700)]
EVERYTHING = replace(PRESETS["best"], feather=3, islands=Islands(min_area=0.002, largest_only=True))
CHAINS = {**PRESETS, "everything": EVERYTHING, "temporal only": Preset(temporal=Temporal(sure=0.5, unsure=0.9))}
every_chain = each_case("chain", CHAINS)


def texture(height: int, width: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def disc(height: int = 64, width: int = 64) -> npt.NDArray[np.float32]:
    y, x = np.mgrid[0:height, 0:width]
    radius = np.hypot((x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5)
    return np.asarray(np.clip((0.35 - radius) * 20, 0, 1), np.float32)


@every_chain
@each_case("size", SIZES)
@each_case("small", [(1, 1), (64, 48), (256, 256)])
def test_nobody_stays_nobody_and_all_stays_all_at_any_size(chain: Preset, size: Any, small: Any) -> None:
    guide = texture(*size)
    assert Refiner(chain)(np.zeros(small, np.float32), guide).max() == 0
    full = Refiner(chain)(np.ones(small, np.float32), guide)
    assert full.min() == 255
    assert (full.shape, full.dtype) == (size, np.uint8)


GUIDES = {
    "noise": texture(360, 640),
    "stripes": ((np.mgrid[0:360, 0:640][1] // 20 % 2) * 255).astype(np.uint8),
    "flat": np.full((360, 640), 128, np.uint8),
}


@every_chain
@each_case("guide", GUIDES)
def test_a_room_with_nobody_in_it_stays_empty_in_every_frame(chain: Preset, guide: npt.NDArray[np.uint8]) -> None:
    random = np.random.default_rng(5)
    refiner = Refiner(chain)
    for _ in range(6):
        coarse = np.abs(random.normal(0.01, 0.003, (256, 256))).astype(np.float32)
        assert refiner(coarse, guide).max() <= np.ceil(255 * coarse.max())


@every_chain
def test_the_mask_stays_soft(chain: Preset) -> None:
    alpha = Refiner(chain)(disc(), np.full((256, 256), 99, np.uint8))
    assert ((alpha > 20) & (alpha < 235)).mean() > 0.03
    assert len(np.unique(alpha)) > 30


@every_chain
def test_what_is_no_number_or_no_probability_counts_as_the_nearer_end(chain: Preset) -> None:
    guide = texture(100, 120)
    mask = disc()
    strange = np.where(mask == 0, np.float32(-7), np.where(mask == 1, np.float32(3e38), mask))
    strange[0, 0], strange[0, 1], strange[32, 32] = np.nan, -np.inf, np.inf
    ours, theirs = Refiner(chain), Refiner(chain)
    for _ in range(3):
        np.testing.assert_array_equal(ours(strange, guide), theirs(mask, guide))


@every_chain
def test_the_most_certain_step_of_an_8_bit_sigmoid_is_the_whole_person(chain: Preset) -> None:
    assert Refiner(chain)(np.full((64, 64), 255 / 256, np.float32), texture(100, 120)).min() == 255


def test_the_steps_of_an_8_bit_sigmoid_are_those_of_a_byte() -> None:
    steps = np.arange(256, dtype=np.float32).reshape(16, 16)
    np.testing.assert_array_equal(Refiner("fast")(steps / 256, texture(16, 16)), steps)


@every_chain
def test_nothing_that_was_given_is_changed_and_the_result_is_the_callers_own(chain: Preset) -> None:
    refiner, mask, guide = Refiner(chain), disc(), texture(90, 70)
    copies = mask.copy(), guide.copy()
    first = refiner(mask, guide)
    kept = first.copy()
    refiner(1 - mask, 255 - guide)
    np.testing.assert_array_equal(mask, copies[0])
    np.testing.assert_array_equal(guide, copies[1])
    np.testing.assert_array_equal(first, kept)


@every_chain
def test_the_memory_does_not_follow_a_buffer_that_is_filled_again(chain: Preset) -> None:
    frames = [(disc() * level, texture(64, 64, seed)) for seed, level in enumerate((1.0, 0.4, 0.8))]
    fresh, reused = Refiner(chain), Refiner(chain)
    mask, guide = np.empty((64, 64), np.float32), np.empty((64, 64), np.uint8)
    for coarse, luma in frames:
        mask[:], guide[:] = coarse, luma
        np.testing.assert_array_equal(reused(mask, guide), fresh(coarse.astype(np.float32), luma))


VIEWS = {
    "padded rows": lambda a: np.pad(a, ((0, 0), (0, 32)))[:, : a.shape[1]],
    "upside down": lambda a: a[::-1].copy()[::-1],
    "mirrored": lambda a: a[:, ::-1].copy()[:, ::-1],
    "turned": lambda a: a.T.copy().T,
    "every other": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
}


@every_chain
@each_case("view", VIEWS)
def test_views_give_the_same_alpha_as_their_copy(chain: Preset, view: Any) -> None:
    mask, guide = disc(), texture(90, 70)
    np.testing.assert_array_equal(Refiner(chain)(view(mask), view(guide)), Refiner(chain)(mask, guide))


@every_chain
def test_out_may_be_a_part_of_a_larger_plane(chain: Preset) -> None:
    mask, guide = disc(), texture(90, 70)
    plane = np.zeros((100, 96), np.uint8)
    out = plane[5:95, 8:78]
    assert Refiner(chain)(mask, guide, out=out) is out
    np.testing.assert_array_equal(out, Refiner(chain)(mask, guide))
    plane[5:95, 8:78] = 0
    assert plane.max() == 0


def frames(count: int) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]]:
    """A still picture, a mask that flickers."""
    random = np.random.default_rng(2)
    guide = texture(128, 128)
    tremble = [np.clip(disc() + random.normal(0, 0.1, (64, 64)), 0, 1).astype(np.float32) for _ in range(count)]
    return [(mask, guide) for mask in tremble]


@each_case("name", ["balanced", "best"])
def test_in_a_still_picture_alpha_flickers_at_most_half_as_much(name: str) -> None:
    def trembling(refiner: Refiner) -> float:
        alphas = [refiner(*frame).astype(float) for frame in frames(30)]
        return float(np.mean([np.abs(b - a).mean() for a, b in pairwise(alphas[5:])]))

    without_memory = Refiner(replace(PRESETS[name], temporal=None))
    assert trembling(Refiner(name)) <= 0.5 * trembling(without_memory)


@each_case("name", ["balanced", "best"])
def test_a_person_who_moves_leaves_no_trail(name: str) -> None:
    """A bright square that jumps 20 pixels a frame before a dark wall: the chain with and without memory agree."""
    with_memory, without = Refiner(name), Refiner(replace(PRESETS[name], temporal=None))
    for step in range(8):
        guide, mask = np.full((256, 256), 40, np.uint8), np.zeros((128, 128), np.float32)
        guide[80:160, 20 * step : 20 * step + 80] = 180
        mask[40:80, 10 * step : 10 * step + 40] = 1
        difference = np.abs(with_memory(mask, guide).astype(int) - without(mask, guide))
        assert difference.max() <= 1


@each_case("name", ["balanced", "best"])
@each_case("change", ["frame", "mask", "reset"])
def test_another_size_or_a_reset_forgets_the_frame_before(name: str, change: str) -> None:
    refiner = Refiner(name)
    refiner(np.ones((64, 64), np.float32), texture(90, 70))
    mask, guide = (disc(), texture(90, 70)) if change != "mask" else (disc(48, 64), texture(90, 70))
    if change == "frame":
        guide = texture(91, 70)
    if change == "reset":
        refiner.reset()
    np.testing.assert_array_equal(refiner(mask, guide), Refiner(name)(mask, guide))


def test_the_memory_is_there_and_two_streams_do_not_share_it() -> None:
    first, second = Refiner("balanced"), Refiner("balanced")
    guide = texture(90, 70)
    first(np.ones((64, 64), np.float32), guide)
    alone = second(disc(), guide)
    np.testing.assert_array_equal(alone, Refiner("balanced")(disc(), guide))
    assert first(disc(), guide).mean() > alone.mean() + 20


def test_a_nan_in_one_frame_is_gone_in_the_next() -> None:
    refiner, guide = Refiner("balanced"), texture(90, 70)
    refiner(np.full((64, 64), np.nan, np.float32), guide)
    refiner.reset()
    np.testing.assert_array_equal(refiner(disc(), guide), Refiner("balanced")(disc(), guide))
    refiner(np.full((64, 64), np.nan, np.float32), guide)
    for _ in range(60):
        last = refiner(np.ones((64, 64), np.float32), guide)
    assert last.min() == 255


def test_the_presets_are_three_and_each_does_more_than_the_one_before() -> None:
    steps = [
        sum(bool(step) for step in (p.temporal, p.islands, p.guided, p.bounds, p.feather)) for p in PRESETS.values()
    ]
    assert list(PRESETS) == ["fast", "balanced", "best"]
    assert steps == sorted(steps)
    assert Refiner().preset is PRESETS["balanced"]


def test_bounds_of_a_preset_reach_the_alpha() -> None:
    grey = np.full((16, 16), 0.3, np.float32)
    assert Refiner(Preset(bounds=Bounds(low=0.4, high=0.6)))(grey, texture(20, 20)).max() == 0


@each_case("name", ["slow", "", None, 3])
def test_an_unknown_preset_is_refused_with_the_known_ones(name: Any) -> None:
    assert (
        refusal(OptionError, Refiner, name)
        == f"preset: got {name!r}, expected one of fast, balanced, best, or a Preset"
    )


def read_only() -> npt.NDArray[np.uint8]:
    plane = np.zeros((9, 7), np.uint8)
    plane.flags.writeable = False
    return plane


MASK, GUIDE = disc(16, 16), texture(9, 7)


@each_case(
    ("coarse", "guide", "out", "says"),
    [
        (
            None,
            GUIDE,
            None,
            f"coarse: got NoneType, {messages.ARRAY} (h, w) float32, 0–1, as Segmenter.coarse gives it",
        ),
        (MASK.astype(np.float64), GUIDE, None, "coarse: got (16, 16) float64"),
        (MASK[None], GUIDE, None, "coarse: got (1, 16, 16) float32"),
        (MASK[:0], GUIDE, None, "coarse: got (0, 16) float32"),
        (
            MASK,
            None,
            None,
            f"guide: got NoneType, {messages.ARRAY} (H, W) uint8: the Y plane of the frame, or the frame in gray",
        ),
        (MASK, GUIDE.astype(np.float32), None, "guide: got (9, 7) float32"),
        (MASK, np.zeros((9, 7, 3), np.uint8), None, "guide: got (9, 7, 3) uint8"),
        (MASK, GUIDE[:, :0], None, "guide: got (9, 0) uint8"),
        (MASK, GUIDE, GUIDE.T.copy(), "out: got (7, 9) uint8, expected (9, 7) uint8"),
        (MASK, GUIDE, np.zeros((9, 7), np.float32), "out: got (9, 7) float32"),
        (MASK, GUIDE, [], "out: got list"),
        (MASK, GUIDE, read_only(), "out: is read-only"),
        (MASK, GUIDE, np.zeros((9, 7), np.uint8)[::-1], "expected packed rows that can be written to"),
        (MASK, GUIDE, np.zeros((9, 14), np.uint8)[:, ::2], "skips pixels"),
    ],
)
@every_chain
def test_what_cannot_be_refined_is_refused(chain: Preset, coarse: Any, guide: Any, out: Any, says: str) -> None:
    assert says in refusal(FrameError, Refiner(chain), coarse, guide, out=out)
