"""A sweep in a loop finds what a parametrized test would find, and says which case it was."""

from __future__ import annotations

import pytest
from tests.each_case import each_case


def test_every_case_is_run_with_the_fixtures_of_the_test() -> None:
    seen = []

    @each_case("outer", {"one": 1, "two": 2})
    @each_case(("inner", "other"), [(3, 4), (5, 6)])
    def sweep(outer: int, inner: int, other: int, fixture: str) -> None:
        seen.append((outer, inner, other, fixture))

    sweep(fixture="f")
    assert seen == [(1, 3, 4, "f"), (1, 5, 6, "f"), (2, 3, 4, "f"), (2, 5, 6, "f")]


def test_what_fails_names_its_case_whether_it_asserts_raises_or_refuses_nothing() -> None:
    @each_case("outer", {"good": True, "bad": False})
    @each_case("inner", [1, 10**5000])
    def sweep(outer: bool, inner: int) -> None:
        assert outer or inner == 1, "too large"

    with pytest.raises(AssertionError, match="outer = bad: inner = int: too large"):
        sweep()

    @each_case("value", [0])
    def raises(value: int) -> None:
        with pytest.raises(ValueError, match="none"):
            int(value)

    with pytest.raises(AssertionError, match="value = 0: DID NOT RAISE"):
        raises()


def test_a_sweep_of_nothing_is_a_fault() -> None:
    with pytest.raises(AssertionError, match="no cases"):
        each_case("value", [])
