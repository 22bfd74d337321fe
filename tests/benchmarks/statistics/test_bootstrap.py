"""The interval of a ratio of medians: it covers what is true, and is honest about few processes and noisy ones."""

from __future__ import annotations

import numpy as np
import pytest

from segbench.statistics.bootstrap import MedianRatio, median_ratio
from segbench.statistics.student import t_quantile


@pytest.mark.parametrize(
    ("probability", "freedom", "expected"),
    # the usual printed tables of Student's t, to their three digits
    [(0.975, 1, 12.706), (0.975, 4, 2.776), (0.99, 9, 2.821), (0.995, 30, 2.750), (0.99, 2, 6.965), (0.5, 7, 0.0)],
)
def test_t_quantile_is_that_of_the_tables(probability: float, freedom: float, expected: float) -> None:
    assert t_quantile(probability, freedom) == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize(("probability", "freedom"), [(0.4, 3), (1.0, 3), (0.9, 0), (float("nan"), 3)])
def test_t_quantile_refuses_what_has_none(probability: float, freedom: float) -> None:
    with pytest.raises(ValueError, match="expected a probability"):
        t_quantile(probability, freedom)


def machine(seed: int, rounds: int = 10, slower: float = 1.0) -> tuple[list[list[float]], list[list[float]]]:
    """A and B in turn on a machine with slow phases of 30 % that last some processes, offsets of processes, and bursts."""
    rng = np.random.default_rng(seed)
    phase, sides = 0.0, ([], [])  # type: tuple[float, tuple[list[list[float]], list[list[float]]]]
    for _ in range(rounds):
        for side in rng.permutation(2):
            phase = (0.26 - phase) if rng.random() < 0.03 else phase
            wobble = np.convolve(rng.normal(0, 0.02, 129), np.ones(30) / 5, "valid")
            bursts = (rng.random(100) < 0.05) * rng.exponential(0.5, 100)
            level = np.log(10 * (slower if side else 1)) + phase + rng.normal(0, 0.02)
            sides[side].append([float(v) for v in np.exp(level + wobble[:100] + bursts)])
    return sides


def excludes_one(ratio: MedianRatio) -> bool:
    assert ratio.low is not None
    assert ratio.high is not None
    return ratio.low > 1 or ratio.high < 1


def test_same_and_same_are_told_apart_as_rarely_as_promised() -> None:
    wrong = sum(excludes_one(median_ratio(*machine(seed), paired=True)) for seed in range(60))
    assert wrong <= 3  # promised: at most 1 of 20


def test_ten_percent_are_seen_as_often_as_promised() -> None:
    found = [median_ratio(*machine(seed, slower=1.1), paired=True) for seed in range(60)]
    assert sum((ratio.low or 0) > 1 for ratio in found) >= 54  # promised: 18 of 20
    assert float(np.median([ratio.ratio for ratio in found])) == pytest.approx(1.1, abs=0.01)


def test_without_pairs_slow_phases_invent_no_difference() -> None:
    wrong = sum(excludes_one(median_ratio(*machine(seed), paired=False)) for seed in range(60))
    assert wrong <= 3


def test_interval_covers_the_truth_where_processes_differ_more_than_their_values() -> None:
    """Values that hardly vary within processes that do: anyone who pools them is sure, and wrong."""
    covered = 0
    for seed in range(100):
        offsets = np.exp(np.random.default_rng(seed).normal(0, 0.05, (2, 6)))
        sides = [[[10 * offset] * 50 for offset in row] for row in offsets.tolist()]
        ratio = median_ratio(*sides, paired=False)
        covered += not excludes_one(ratio)
    assert covered >= 96  # 98 % of 100 and one standard deviation below


def test_more_processes_narrow_the_interval_and_more_values_of_one_do_not() -> None:
    def width(rounds: int, repeat: int) -> float:
        a, b = machine(3, rounds)
        ratio = median_ratio([row * repeat for row in a], [row * repeat for row in b], paired=True)
        return (ratio.high or 0) - (ratio.low or 0)

    assert width(40, 1) < width(10, 1) / 1.5
    assert width(10, 16) > width(10, 1) / 1.3


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("paired", [True, False])
def test_one_or_two_processes_have_a_ratio_and_no_interval(processes: int, paired: bool) -> None:
    ratio = median_ratio([[10.0, 10.0, 70.0]] * processes, [[20.0, 20.0, 20.0]] * processes, paired=paired)
    assert ratio.ratio == pytest.approx(2)
    assert (ratio.a_ms, ratio.b_ms) == (pytest.approx(10), pytest.approx(20))
    assert (ratio.low, ratio.high) == (None, None)


def test_pairs_cancel_what_both_met() -> None:
    """Rounds of 10, 20, 40 ms, B always 5 % above A: certain in pairs, nothing without."""
    a = [[level] * 30 for level in (10.0, 20.0, 40.0, 10.0, 20.0, 40.0)]
    b = [[1.05 * v for v in row] for row in a]
    assert (median_ratio(a, b, paired=True).low or 0) == pytest.approx(1.05)
    assert not excludes_one(median_ratio(a, b, paired=False))


def test_one_broken_process_is_trimmed_away() -> None:
    a = [[10.0] * 20] * 10
    b = [[10.0] * 20] * 9 + [[1000.0] * 20]
    assert median_ratio(a, b, paired=True).ratio == pytest.approx(1)


def test_a_stage_without_time_is_one_step_of_the_clock() -> None:
    ratio = median_ratio([[0.0] * 5] * 3, [[0.0] * 5] * 3, paired=True)
    assert (ratio.ratio, ratio.low, ratio.high) == (1, 1, 1)


@pytest.mark.parametrize(
    ("a", "b", "paired"), [([], [[1.0]], False), ([[1.0]], [[1.0], [2.0]], True), ([[1.0], []], [[1.0], [2.0]], True)]
)
def test_nothing_to_compare_is_refused(a: list[list[float]], b: list[list[float]], paired: bool) -> None:
    with pytest.raises(ValueError, match="expected at least one"):
        median_ratio(a, b, paired=paired)


def test_same_values_give_the_same_interval() -> None:
    assert median_ratio(*machine(5), paired=True) == median_ratio(*machine(5), paired=True)
