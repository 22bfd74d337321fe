"""A ratio of two things that were timed in the same rounds."""

from __future__ import annotations

import pytest
from tests.scripts import load_script

claim = load_script("claim.py")

ROUNDS = [{"ours": 1.0, "theirs": 4.0}, {"ours": 10.0, "theirs": 50.0}, {"ours": 2.0, "theirs": 12.0}]


def test_the_ratio_is_the_median_of_the_rounds() -> None:
    row = claim.RatioGoal(over="theirs", under="ours", sign="≥", bound=5).measured(ROUNDS)
    assert row == {"name": "theirs / ours", "ratio": 5.0, "goal": "≥ 5", "met": True}


@pytest.mark.parametrize(
    ("sign", "bound", "met"), [("≤", 0.2, True), ("≤", 0.19, False), ("≥", 0.2, True), ("≥", 0.21, False)]
)
def test_a_goal_is_met_on_its_own_side_and_at_its_bound(sign: str, bound: float, met: bool) -> None:
    row = claim.RatioGoal(over="ours", under="theirs", sign=sign, bound=bound).measured(ROUNDS)
    assert row["met"] is met
    assert ("(not met)" in claim.goal_line(row, 20)) is not met
