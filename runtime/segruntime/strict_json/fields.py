"""A JSON object, field by field; the error names the field, and what nobody asked for is refused at the end."""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")
_MOST_CHARACTERS = 4096
_LARGEST = 1e9  # of the numbers in a list: far above any range, mean or std, and float32 does not overflow


class Fields:
    """The fields of one JSON object; `finish` refuses those that were not asked for.

    Raises:
        ValueError: by every method, where the field is missing or another value than the method reads.
    """

    def __init__(self, data: object, where: str = "") -> None:
        """`where`: the names that lead to the object from the outermost one, which itself has none."""
        if not isinstance(data, dict):
            raise ValueError(f"{where or 'the whole'} is {_kind(data)}, expected an object {{…}}")
        self._data: dict[str, Any] = data
        self._where = f"{where}." if where else ""
        self._seen: set[str] = set()
        self._inner: list[Fields] = []

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def raw(self, key: str) -> Any:
        """The value, whatever it is."""
        self._seen.add(key)
        if key not in self._data:
            raise ValueError(f"{self._where}{key} is missing")
        return self._data[key]

    def finish(self) -> None:
        """Refuse what is left over, here and in the objects that `part` and `parts` gave."""
        unknown = sorted(shown(key).strip("'") for key in self._data if key not in self._seen)
        if unknown:
            raise ValueError(f"unknown field {self._where}{unknown[0]}, known: {', '.join(sorted(self._seen))}")
        for inner in self._inner:
            inner.finish()

    def header(self, name: str, version: int) -> None:
        """`format` and `version`, which say what the rest is."""
        if self.raw("format") != name:
            self.fail("format", repr(name))
        self.integer("version", version, version)

    def choice(self, key: str, known: Sequence[str]) -> str:
        value = self.raw(key)
        if not isinstance(value, str) or value not in known:
            self.fail(key, f"one of {', '.join(known)}")
        return str(value)

    def integer(self, key: str, low: int, high: int) -> int:
        value = self.raw(key)
        if type(value) is not int or not low <= value <= high:
            self.fail(key, f"a whole number from {low} to {high}" if low < high else f"{low}")
        return int(value)

    def number(self, key: str, low: float = -math.inf, high: float = math.inf) -> float:
        """A finite one."""
        return self._number(key, self.raw(key), low, high)

    def numbers(self, key: str, count: int) -> tuple[float, ...]:
        value = self.raw(key)
        if not isinstance(value, (list, tuple)) or len(value) != count:
            self.fail(key, f"{count} numbers")
        return tuple(self._number(key, item, -_LARGEST, _LARGEST) for item in value)

    def boolean(self, key: str) -> bool:
        value = self.raw(key)
        if not isinstance(value, bool):
            self.fail(key, "true or false")
        return bool(value)

    def string(self, key: str, most: int = _MOST_CHARACTERS) -> str:
        value = self.raw(key)
        if not isinstance(value, str) or len(value) > most:
            self.fail(key, f"text of at most {most} characters")
        return str(value)

    def strings(self, key: str) -> tuple[str, ...]:
        value = self.raw(key)
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
            self.fail(key, "a list of texts")
        return tuple(value)

    def string_map(self, key: str) -> dict[str, str]:
        value = self.raw(key)
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in (*value, *value.values())):
            self.fail(key, "an object of texts")
        return dict(value)

    def digest(self, key: str) -> str:
        """A SHA-256."""
        value = self.raw(key)
        if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{64}", value):
            self.fail(key, "64 hexadecimal digits")
        return str(value)

    def any_object(self, key: str) -> dict[str, Any]:
        """One that only its writer reads; what is inside is not looked at."""
        value = self.raw(key)
        if not isinstance(value, dict):
            self.fail(key, "an object {…}")
        return dict(value)

    def part(self, key: str) -> Fields:
        """An object inside this one."""
        self._inner.append(Fields(self.raw(key), f"{self._where}{key}"))
        return self._inner[-1]

    def parts(self, key: str, low: int, high: int) -> list[Fields]:
        """A list of `low` to `high` objects."""
        value = self.raw(key)
        if not isinstance(value, list) or not low <= len(value) <= high:
            self.fail(key, f"a list of {low} to {high}")
        inner = [Fields(item, f"{self._where}{key}[{place}]") for place, item in enumerate(value)]
        self._inner += inner
        return inner

    def optional(self, key: str, read: Callable[[str], T]) -> T | None:
        """What `read`, one of the methods here, makes of the field; None where it is absent or null."""
        self._seen.add(key)
        return None if self._data.get(key) is None else read(key)

    def nullable(self, key: str, read: Callable[[str], T]) -> T | None:
        """What `read`, one of the methods here, makes of the field; None where it is null."""
        return None if self.raw(key) is None else read(key)

    def fail(self, key: str, expected: str) -> NoReturn:
        """Refuse the value of a field that was read."""
        raise ValueError(f"{self._where}{key} is {shown(self._data.get(key))}, expected {expected}")

    def _number(self, key: str, value: object, low: float, high: float) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not _finite(value)
            or not low <= value <= high
        ):
            self.fail(key, _range(low, high))
        return float(value)


def shown(value: object) -> str:
    """For a message: one line of at most 80 characters, three levels deep."""
    short = reprlib.Repr()
    short.maxlevel, short.maxstring, short.maxother, short.maxlong = 3, 80, 80, 80
    try:
        text = short.repr(value)
    except ValueError:  # an integer of thousands of digits
        return f"{_kind(value)} too large to print"
    return text if len(text) <= 80 else text[:79] + "…"


def _range(low: float, high: float) -> str:
    if math.isinf(low):
        return "a number"
    return f"a number from {low:g}" + ("" if math.isinf(high) else f" to {high:g}")


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _kind(data: object) -> str:
    return "nothing" if data is None else f"of type {type(data).__name__}"
