"""A sweep over many small cases as one test: they cost no start each, and what fails names its case."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pytest

Test = Callable[..., None]


def each_case(names: str | tuple[str, ...], cases: Iterable[Any] | Mapping[str, Any]) -> Callable[[Test], Test]:
    """Like `pytest.mark.parametrize`, in a loop: the test is called for each case with its value, or values, as arguments.

    A mapping's keys are the cases' names. Fixtures are the same ones for all cases.
    """
    arguments = (names,) if isinstance(names, str) else names
    rows = [(called, dict(zip(arguments, row, strict=True))) for called, row in _rows(arguments, cases)]
    assert rows, f"{names}: no cases"

    def decorate(test: Test) -> Test:
        @functools.wraps(test)
        def run(**fixtures: Any) -> None:
            for called, given in rows:
                try:
                    test(**fixtures, **given)
                except (Exception, pytest.fail.Exception) as error:
                    raise AssertionError(f"{', '.join(arguments)} = {called}: {error}") from error

        taken = inspect.signature(test)
        left = [one for name, one in taken.parameters.items() if name not in arguments]
        run.__signature__ = taken.replace(parameters=left)  # type: ignore[attr-defined]
        return run

    return decorate


def _rows(names: tuple[str, ...], cases: Iterable[Any] | Mapping[str, Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    named = cases.items() if isinstance(cases, Mapping) else ((_shown(case), case) for case in cases)
    for called, case in named:
        yield called, (case,) if len(names) == 1 else tuple(case)


def _shown(case: object) -> str:
    try:
        return " ".join(repr(case).split())[:200]
    except ValueError:  # Python writes no whole number of thousands of digits
        return type(case).__name__
