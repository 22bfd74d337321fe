"""The guided filter and the two ways up to the frame's size."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from tests.each_case import each_case
from tests.refusals import refusal

from segruntime.errors import OptionError
from segruntime.refine.guided import Coefficients, Guided, GuidedFilter
from segruntime.refine.upsample import EdgeUpsampler, bilinear

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
