"""Statistics on values whose answers are known by hand, verdicts on spread and drift, and the interval of a ratio."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from segbench.statistics.bootstrap import MedianRatio, median_ratio
from segbench.statistics.stability import LEAST_VALUES, stability
from segbench.statistics.student import t_quantile
from segbench.statistics.summary import Summary, summarize


def test_percentiles_lie_on_straight_lines_between_sorted_values() -> None:
    """0, 10, …, 100: position (n - 1) * q is 5, 9 and 9.9."""
    summary = summarize([100, 0, 10, 90, 20, 80, 30, 70, 40, 60, 50])
    assert (summary.p50_ms, summary.p90_ms, summary.p99_ms) == pytest.approx((50, 90, 99))


def test_median_of_an_even_count_is_the_middle_of_two() -> None:
    assert summarize([4, 1, 3, 2]).p50_ms == 2.5


def test_p99_of_a_hundred_values_is_not_the_largest() -> None:
    assert summarize(range(1, 101)).p99_ms == pytest.approx(99.01)


def test_mean_spread_and_ends() -> None:
    summary = summarize([2, 4, 4, 4, 5, 5, 7, 9])
    assert (summary.n, summary.mean_ms, summary.min_ms, summary.max_ms) == (8, 5, 2, 9)
    assert summary.std_ms == pytest.approx((32 / 7) ** 0.5)


def test_one_value_is_everything_and_has_no_spread() -> None:
    assert summarize([3.5]) == Summary(
        n=1, p50_ms=3.5, p90_ms=3.5, p99_ms=3.5, mean_ms=3.5, std_ms=0, min_ms=3.5, max_ms=3.5
    )


def normal(seed: int, count: int, spread: float = 0.03) -> list[float]:
    return list(10 * (1 + spread * np.random.default_rng(seed).standard_normal(count)))


def test_equal_values_are_steady() -> None:
    found = stability([[5.0] * 30])
    assert (found.verdict, found.words) == ("steady", "steady: spread 0%, drift +0%, outliers 0%")
    assert (found.spread, found.drift, found.outliers) == (0, 0, 0)


def test_spread_is_the_quartiles_distance_over_the_median() -> None:
    """8 to 12 in even steps: quartiles 9 and 11, median 10."""
    found = stability([list(np.random.default_rng(1).permutation(np.linspace(8, 12, 401)))])
    assert found.spread == pytest.approx(2 / 1.349 / 10)
    assert found.verdict == "noisy"
    assert "noisy: spread 15%" in found.words


def test_spread_of_a_normal_distribution_is_its_standard_deviation() -> None:
    assert stability([normal(3, 20_000, 0.04)]).spread == pytest.approx(0.04, rel=0.03)


def test_too_few_values_say_so_whatever_they_are() -> None:
    few = stability([[1.0, 9.0] * 5, [1.0] * (LEAST_VALUES - 11)])
    assert few.verdict == "too few values"
    assert few.words.startswith("too few values: 19, at least 20 are needed")
    assert stability([[1.0] * 10, [1.0] * 10]).verdict == "steady"
    assert stability([[3.0]]).verdict == "too few values"


@pytest.mark.parametrize(("factor", "way"), [(1.1, "slower"), (1 / 1.1, "faster")])
def test_step_in_the_middle_is_drift(factor: float, way: str) -> None:
    values = normal(4, 100)
    stepped = values[:50] + [factor * one for one in values[50:]]
    found = stability([stepped])
    assert found.verdict == "drifting"
    assert way in found.words
    assert abs(found.drift) == pytest.approx(0.1, abs=0.03)
    assert (found.drift > 0) == (way == "slower")


def test_slow_middle_is_drift_though_both_ends_are_equal() -> None:
    values = normal(5, 150)
    assert stability([values[:50] + [1.2 * v for v in values[50:100]] + values[100:]]).verdict == "drifting"


def test_process_that_is_slower_than_the_others_is_drift() -> None:
    found = stability([normal(6, 50), normal(7, 50), [1.15 * one for one in normal(8, 50)]])
    assert found.verdict == "drifting"
    assert found.drift == pytest.approx(0.15, abs=0.04)


def test_drift_below_its_limit_is_steady() -> None:
    values = normal(9, 2000, 0.01)
    found = stability([values[:1000] + [1.03 * one for one in values[1000:]]])
    assert found.drift == pytest.approx(0.03, abs=0.005)
    assert found.verdict == "steady"


def test_outliers_are_counted_beyond_tukeys_fences() -> None:
    """Quartiles of 9.9, 10 and 10.1 in equal parts are 9.9 and 10.1: the fences are 9.4 and 10.6 (5 % of 10 from them)."""
    values = [9.9, 10.0, 10.1] * 30
    assert stability([[*values, 10.5, 9.5]]).outliers == 0
    assert stability([[*values, 10.7, 9.3]]).outliers == pytest.approx(2 / 92)
    many = stability([[*values, *[30.0] * 15]])
    assert many.outliers == pytest.approx(15 / 105)


def test_many_outliers_are_noise() -> None:
    values = np.random.default_rng(2).permutation([9.9, 10.0, 10.1] * 28 + [30.0] * 16)
    found = stability([list(values)])
    assert (found.verdict, found.spread < 0.1) == ("noisy", True)
    assert "outliers 16%" in found.words


def test_outlier_that_nobody_would_notice_is_none() -> None:
    assert stability([[10.0] * 60 + [10.2] * 10]).outliers == 0


@pytest.mark.parametrize(
    ("processes", "count", "spread"), [(1, 50, 0.08), (3, 50, 0.08), (5, 100, 0.04), (1, 30, 0.05)]
)
def test_noise_without_drift_is_called_steady_in_nearly_all_of_500_runs(
    processes: int, count: int, spread: float
) -> None:
    rng = np.random.default_rng(10)
    values = 10 * (1 + spread * rng.standard_normal((500, processes, count)))
    verdicts = Counter(stability(one).verdict for one in values)
    assert verdicts["drifting"] <= 10


@pytest.mark.parametrize("values", [[0.0] * 40, [0.0] * 39 + [1.0]])
def test_zeros_give_numbers(values: list[float]) -> None:
    found = stability([values])
    assert np.isfinite([found.spread, found.drift, found.outliers]).all()


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="got no values"):
        stability([[], []])


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
