"""The bound that a file is held to, also where logits are large."""

from __future__ import annotations

from dataclasses import replace

import pytest

from segexport.precisions import ONNX, PRECISIONS, Bound
from segruntime.measures.agreement import Agreement

NAN = float("nan")
SAME = Agreement(max_difference=0.0, mean_difference=0.0, mask_iou=1.0, changed_pixels=0.0, boundary_f=1.0)


def test_bounds_are_the_promised_ones() -> None:
    assert ONNX.bound == Bound(max_difference=1e-4)
    assert {name: (kind.bound.max_difference, kind.bound.mask_iou) for name, kind in PRECISIONS.items()} == {
        "float32": (1e-3, None),
        "float16": (1e-2, None),
        "dynamic": (None, 0.95),
        "int8": (None, 0.95),
        "int16x8": (None, 0.95),
    }
    assert [name for name, kind in PRECISIONS.items() if kind.calibrated] == ["int8", "int16x8"]


@pytest.mark.parametrize("largest", [0.0, 17.0, 40.0])
def test_up_to_logits_of_40_a_bound_stays_as_it_is(largest: float) -> None:
    for kind in (ONNX, *PRECISIONS.values()):
        assert kind.bound.for_logits(largest) is kind.bound


def test_above_40_it_grows_in_proportion_and_holds_the_mask_too() -> None:
    bound = Bound(max_difference=1e-3).for_logits(400.0)
    assert bound.max_difference == pytest.approx(1e-2)
    assert (bound.mask_iou, bound.relative_to) == (0.99, 400.0)
    assert bound.holds(replace(SAME, max_difference=0.0099))
    assert not bound.holds(replace(SAME, max_difference=0.0101))
    assert not bound.holds(replace(SAME, max_difference=0.0099, mask_iou=0.98))
    assert str(bound) == "largest difference at most 0.01, mask IoU at least 0.99, relative to logits up to 400"


def test_a_bound_on_the_mask_alone_is_never_loosened() -> None:
    assert PRECISIONS["int8"].bound.for_logits(1e6) == Bound(mask_iou=0.95)
    strict = Bound(max_difference=1e-3, mask_iou=0.999).for_logits(80.0)
    assert strict.mask_iou == 0.999


@pytest.mark.parametrize("kind", [ONNX, *PRECISIONS.values()])
def test_exactly_at_the_bound_holds_and_a_hair_over_does_not(kind: object) -> None:
    bound = kind.bound  # type: ignore[attr-defined]
    if bound.max_difference is not None:
        assert bound.holds(replace(SAME, max_difference=bound.max_difference))
        assert not bound.holds(replace(SAME, max_difference=bound.max_difference * 1.0001))
    else:
        assert bound.holds(replace(SAME, mask_iou=bound.mask_iou))
        assert not bound.holds(replace(SAME, mask_iou=bound.mask_iou - 1e-6))


@pytest.mark.parametrize("largest", [1.0, 1e9])
@pytest.mark.parametrize("kind", [ONNX, *PRECISIONS.values()])
def test_nan_never_holds(kind: object, largest: float) -> None:
    measured = replace(SAME, max_difference=NAN, mask_iou=NAN)
    assert not kind.bound.for_logits(largest).holds(measured)  # type: ignore[attr-defined]


def test_suffixes_differ() -> None:
    suffixes = [ONNX.suffix, *(kind.suffix for kind in PRECISIONS.values())]
    assert len(set(suffixes)) == len(suffixes)
