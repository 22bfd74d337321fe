"""What results are full of, read with the runtime's `Fields`: each gives a method for one object's fields."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from segruntime.strict_json import Fields

T = TypeVar("T")
MOST = 2**53
"""JSON's whole numbers are exact up to here."""
_MOST_AMOUNT = 1e300  # not infinity: an integer in JSON may be too large for any float


def whole(f: Fields) -> Callable[[str], int]:
    """A whole number from 0."""
    return lambda key: f.integer(key, 0, MOST)


def amount(f: Fields) -> Callable[[str], float]:
    """A number from 0."""

    def read(key: str) -> float:
        value = f.number(key, 0)
        if value > _MOST_AMOUNT:
            f.fail(key, "a number from 0")
        return value

    return read


def amounts(f: Fields) -> Callable[[str], list[float]]:
    """A list of at least one number from 0."""

    def read(key: str) -> list[float]:
        values = f.raw(key)
        if not isinstance(values, list) or not values:
            f.fail(key, "a list of at least 1 number")
        if not all(type(value) in (int, float) and 0 <= value <= _MOST_AMOUNT for value in values):
            f.fail(key, "a list of numbers from 0")
        return values

    return read


def by_name(f: Fields, key: str, names: Collection[str], read: Callable[[Fields], Callable[[str], T]]) -> dict[str, T]:
    """An object of values that `read` reads, at least one, each under one of `names`."""
    found, inner = f.any_object(key), f.part(key)
    unknown = [name for name in found if name not in names]
    if unknown or not found:
        f.fail(key, f"an object with some of {', '.join(names)}")
    return {name: read(inner)(name) for name in found}
