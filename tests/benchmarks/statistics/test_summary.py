"""Statistics on values whose answers are known by hand."""

from __future__ import annotations

import pytest

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
