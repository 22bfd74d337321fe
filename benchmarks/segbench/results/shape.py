"""What a JSON value from outside has to look like, said once and checked before use.

A shape is a function of a value and of the place where it stands; it answers with what is wrong, or None.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

Shape = Callable[[object, str], "str | None"]
_LARGEST = 1e300  # not infinity: an integer in JSON may be too large for any float


def text(value: object, place: str) -> str | None:
    """A string."""
    return None if isinstance(value, str) else _wrong(value, place, "text")


def flag(value: object, place: str) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else _wrong(value, place, "true or false")


def whole(value: object, place: str) -> str | None:
    """A whole number from 0."""
    return None if type(value) is int and value >= 0 else _wrong(value, place, "a whole number from 0")


def number(value: object, place: str) -> str | None:
    """A finite number."""
    return None if _is_number(value) else _wrong(value, place, "a number")


def amount(value: object, place: str) -> str | None:
    """A finite number from 0."""
    return None if _is_number(value) and value >= 0 else _wrong(value, place, "a number from 0")  # type: ignore[operator]


def share(value: object, place: str) -> str | None:
    """A number from 0 to 1."""
    return None if _is_number(value) and 0 <= value <= 1 else _wrong(value, place, "a number from 0 to 1")  # type: ignore[operator]


def maybe(shape: Shape) -> Shape:
    """`shape` or null."""
    return lambda value, place: None if value is None else shape(value, place)


def a_list(shape: Shape, *, least: int = 0) -> Shape:
    """A list of at least `least` values of `shape`."""

    def check(value: object, place: str) -> str | None:
        if not isinstance(value, list) or len(value) < least:
            return _wrong(value, place, f"a list of at least {least}")
        return _first(shape(one, f"{place}[{k}]") for k, one in enumerate(value))

    return check


def a_map(shape: Shape, *, keys: Collection[str], least: int = 0) -> Shape:
    """An object of at least `least` values of `shape`, each under one of `keys`."""

    def check(value: object, place: str) -> str | None:
        if not isinstance(value, dict) or len(value) < least:
            return _wrong(value, place, f"an object of at least {least}")
        unknown = [key for key in value if key not in keys]
        if unknown:
            return f"{place}: got {str(unknown[0])[:40]!r}, expected some of {', '.join(keys)}"
        return _first(shape(one, f"{place}.{key}") for key, one in value.items())

    return check


def fields(**shapes: Shape) -> Shape:
    """An object that has at least these fields."""

    def check(value: object, place: str) -> str | None:
        if not isinstance(value, dict):
            return _wrong(value, place, "an object")
        missing = [key for key in shapes if key not in value]
        if missing:
            return f"{place or 'the file'}: lacks the field {missing[0]!r}"
        return _first(shape(value[key], f"{place}.{key}".lstrip(".")) for key, shape in shapes.items())

    return check


def _first(problems: Iterable[str | None]) -> str | None:
    return next((one for one in problems if one is not None), None)


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and -_LARGEST < value < _LARGEST  # type: ignore[operator]


def _wrong(value: object, place: str, expected: str) -> str:
    return f"{place}: got {repr(value)[:60]}, expected {expected}"
