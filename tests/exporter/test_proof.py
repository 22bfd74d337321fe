"""When argmax flips excuse a file that is over its bound, and when they do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from segexport.compare import Comparison
from segexport.compare.flips import Flips
from segexport.precisions import Bound
from segexport.proof import _holds_apart, _worst_first
from segruntime.measures.agreement import Agreement

OVER = Comparison(
    agreement=Agreement(max_difference=0.4, mean_difference=1e-6, mask_iou=0.9999, changed_pixels=1e-5, boundary_f=1.0),
    ious=(1.0, 0.9998),
    differences=(1e-6, 0.4),
    worst="b",
    invoke_p50_ms=1.0,
)
FLIPPED = Flips(
    windows=1000,
    flipped=3,
    max_difference=0.4,
    max_difference_same_choices=2e-6,
    lowering_difference=0.0,
    pictures=2,
)
BOUND = Bound(max_difference=1e-3)


def test_flips_alone_excuse_a_difference() -> None:
    assert not BOUND.holds(OVER.agreement)
    assert _holds_apart(BOUND, OVER, FLIPPED)


@pytest.mark.parametrize(
    "changes",
    [{"flipped": 0}, {"max_difference_same_choices": 2e-3}, {"lowering_difference": 2e-3}],
    ids=["nothing flipped", "another difference is left", "the rewriting itself differs"],
)
def test_nothing_else_does(changes: dict[str, Any]) -> None:
    assert not _holds_apart(BOUND, OVER, replace(FLIPPED, **changes))


def test_the_mask_has_to_hold_as_well_where_it_is_bound() -> None:
    assert not _holds_apart(replace(BOUND, mask_iou=0.99995), OVER, FLIPPED)


def test_pictures_are_in_the_order_of_the_least_exact_file_that_saw_them_all() -> None:
    exact = replace(OVER, ious=(1.0, 0.99, 1.0))
    rough = replace(OVER, ious=(0.95, 0.97, 0.90))
    slow = replace(OVER, ious=(0.1, 0.2))
    assert _worst_first([exact, rough, slow], 3) == [2, 0, 1]
    assert _worst_first([slow], 3) == [0, 1, 2]
