"""The verdict on values whose spread, drift and outliers are known by hand, and on noise that has none."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from segbench.statistics.stability import LEAST_VALUES, stability


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
