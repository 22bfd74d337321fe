"""Measures of agreement, against values worked out by hand on small masks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from tests.each_case import each_case

from segruntime.errors import FrameError
from segruntime.measures.agreement import agreement, boundary_f, mask_iou, summed_up


def box(top: int, left: int, bottom: int, right: int, size: int = 40) -> npt.NDArray[np.bool_]:
    mask = np.zeros((size, size), bool)
    mask[top:bottom, left:right] = True
    return mask


def test_iou_of_two_boxes_that_share_a_quarter_of_each() -> None:
    # 4 x 4 each, 2 x 2 shared: 4 / (16 + 16 - 4)
    assert mask_iou(box(0, 0, 4, 4), box(2, 2, 6, 6)) == 4 / 28


def test_iou_of_nothing_with_nothing_is_one_and_with_something_zero() -> None:
    assert mask_iou(box(0, 0, 0, 0), box(0, 0, 0, 0)) == 1
    assert mask_iou(box(0, 0, 0, 0), box(0, 0, 1, 1)) == 0


def test_boundary_f_of_a_mask_with_itself_is_one_and_far_away_zero() -> None:
    assert boundary_f(box(5, 5, 15, 15), box(5, 5, 15, 15)) == 1
    assert boundary_f(box(2, 2, 8, 8), box(20, 20, 30, 30)) == 0


def test_boundary_f_where_one_has_no_boundary() -> None:
    empty, full = box(0, 0, 0, 0), box(0, 0, 40, 40)
    assert boundary_f(empty, empty) == 1
    assert boundary_f(full, empty) == 1  # the border of the picture is no boundary
    assert boundary_f(full, box(5, 5, 15, 15)) == 0


def test_boundary_f_of_half_a_boundary_by_hand() -> None:
    """A half plane against one that jumps: 40 boundary pixels each, on the same column in the first 20 rows only.

    0.75 % of the diagonal of 40 x 40 is 0.42, so the tolerance is its least, one pixel, in a cross. At the jump, four
    pixels of each boundary join the two columns, and they count.
    """
    a = box(0, 0, 40, 10)
    b = a.copy()
    b[20:, 10:30] = True
    edges_a = {(row, 9) for row in range(40)}
    inside = {(r, c) for r in range(40) for c in range(40) if b[r, c]}
    around = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    edges_b = {
        (r, c)
        for r, c in inside
        if any(0 <= r + y < 40 and 0 <= c + x < 40 and (r + y, c + x) not in inside for y, x in around)
    }
    cross = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]
    precision = sum(any((r + y, c + x) in edges_b for y, x in cross) for r, c in edges_a) / len(edges_a)
    recall = sum(any((r + y, c + x) in edges_a for y, x in cross) for r, c in edges_b) / len(edges_b)
    assert boundary_f(a, b) == pytest.approx(2 * precision * recall / (precision + recall))
    assert 0.4 < boundary_f(a, b) < 0.7


def test_the_tolerance_of_the_boundary_grows_with_the_picture() -> None:
    assert boundary_f(box(0, 0, 40, 10), box(0, 0, 40, 12)) == 0
    # 0.75 % of the diagonal of 400 x 400 is 4.2
    assert boundary_f(box(0, 0, 400, 100, 400), box(0, 0, 400, 104, 400)) == 1
    assert boundary_f(box(0, 0, 400, 100, 400), box(0, 0, 400, 105, 400)) == 0


def test_the_measures_of_two_soft_masks_by_hand() -> None:
    a = np.array([[0.0, 0.4, 0.6, 1.0]], np.float32)
    b = np.array([[0.0, 0.6, 0.6, 0.25]], np.float32)
    found = agreement(a, b)
    assert found.max_difference == pytest.approx(0.75)
    assert found.mean_difference == pytest.approx((0.2 + 0.75) / 4)
    assert found.mask_iou == pytest.approx(1 / 3)
    assert found.changed_pixels == 0.5
    assert agreement(a, b, threshold=0.2).changed_pixels == 0


def test_equal_masks_agree_in_everything() -> None:
    alpha = np.random.default_rng(0).random((30, 40), dtype=np.float32)
    assert agreement(alpha, alpha).to_json() == {
        "max_difference": 0,
        "mean_difference": 0,
        "mask_iou": 1,
        "changed_pixels": 0,
        "boundary_f": 1,
    }


@each_case("value", [np.nan, np.inf])
def test_a_nan_is_the_largest_difference_that_there_is(value: float) -> None:
    a = np.zeros((4, 5), np.float32)
    b = a.copy()
    b[0, 0] = value
    assert agreement(a, b).max_difference == 1
    assert agreement(b, a).max_difference == 1


def test_pictures_are_summed_up_by_the_mean_and_the_largest_difference() -> None:
    a, b = np.zeros((4, 4), np.float32), np.zeros((4, 4), np.float32)
    b[0, 0] = 0.25
    found = summed_up([agreement(a, a), agreement(a, b)])
    assert found.max_difference == 0.25
    assert found.mean_difference == 0.25 / 16 / 2
    assert found.mask_iou == 1


@each_case("shapes", [((3, 4), (4, 3)), ((3, 4, 1), (3, 4, 1)), ((12,), (12,))])
def test_masks_of_different_shapes_are_refused(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    first, second = (np.zeros(shape, np.float32) for shape in shapes)
    with pytest.raises(FrameError, match=r"masks: got \(.*\) and \(.*\), expected two masks \(H, W\) of one size"):
        agreement(first, second)
