"""What is said of a search's end: how much stays in float, and whether that is an int8 file at all."""

from __future__ import annotations

import pytest

from segexport.quantize.budget.fit import Budget
from segexport.quantize.budget.judge import Score
from segexport.quantize.budget.search import Outcome, Step
from segexport.tflite.graph import Block, Operator

WEIGHTS = (100, 100, 800)


def budget(*chosen: int, drop: float = 0.5) -> Budget:
    """Three convolutions, of 10, 10 and 80 % of the weights; those `chosen` are in float."""
    blocks = tuple(
        Block(
            number=k,
            operators=(
                Operator(
                    index=k, kind="CONV_2D", name=f"t{k}", inputs=("image",), outputs=(f"t{k}",), weight_bytes=weight
                ),
            ),
        )
        for k, weight in enumerate(WEIGHTS)
    )
    score = Score(iou=1 - drop / 100, drop_points=drop, boundary_f=1.0, size_bytes=1, invoke_p50_ms=1.0)
    step = Step(number=1, what="some in float", blocks=frozenset(chosen), score=score, holds=drop <= 1)
    return Budget(points=1.0, against="the masks", outcome=Outcome(steps=(step,), best=step), blocks=blocks)


def test_everything_in_int8() -> None:
    assert budget().verdict == (
        "everything in int8: loses 0.500 points of IoU against the masks, within the 1 allowed, after 1 quantization"
    )


@pytest.mark.parametrize(("chosen", "share", "hardly"), [((0,), 10, False), ((0, 1), 20, False), ((1, 2), 90, True)])
def test_the_share_of_the_weights_in_float_is_said_and_what_is_hardly_int8(
    chosen: tuple[int, ...], share: int, hardly: bool
) -> None:
    found = budget(*chosen)
    assert f" with {share} % of the weights left in float: loses 0.500 points" in found.verdict
    assert found.hardly_int8 is hardly
    assert found.verdict.endswith("hardly an int8 file, float32 or float16 may do as well") is hardly
    assert found.to_json()["float_share"] == share / 100


def test_a_budget_that_does_not_hold_is_not_called_hardly_int8() -> None:
    assert budget(1, 2, drop=3.0).verdict == (
        "nothing of 1 quantization stays within 1 points; nearest came step 1, 2 operators with 90 % of the weights left in "
        "float: loses 3.000 points of IoU against the masks"
    )


def test_where_everything_in_float_is_over_the_budget_too_the_bytes_are_named() -> None:
    assert budget(0, 1, 2, drop=3.0).verdict.endswith(
        "3 operators with 100 % of the weights left in float: loses 3.000 points of IoU against the masks; that is what the "
        "picture's and the mask's bytes cost by themselves, allow more"
    )
