"""Reading a JSON object field by field; the error names the field, and what nobody asked for is refused at the end."""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from segruntime.errors import ContractError

T = TypeVar("T")
_MAX_STRING = 4096
_MAX_NUMBER = 1e9  # of a range, mean or std: far above any, and float32 does not overflow
_MIN_SCALE, _MAX_SCALE = 1e-12, 1e6
_ZERO_POINTS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}


class Fields:
    """The fields of one JSON object; each may be asked for once, `finish` refuses the ones that were not."""

    def __init__(self, data: object, where: str) -> None:
        if not isinstance(data, dict):
            raise ContractError(f"contract: {where or 'the whole'} is {_name(data)}, expected an object {{…}}")
        self._data: dict[str, Any] = data
        self._where = f"{where}." if where else ""
        self._seen: set[str] = set()

    def raw(self, key: str) -> Any:
        self._seen.add(key)
        if key not in self._data:
            raise ContractError(f"contract: {self._where}{key} is missing; see docs/contract.md")
        return self._data[key]

    def finish(self) -> None:
        unknown = sorted(shown(key).strip("'") for key in self._data if key not in self._seen)
        if unknown:
            raise ContractError(
                f"contract: unknown field {self._where}{unknown[0]}, known: {', '.join(sorted(self._seen))}"
            )

    def choice(self, key: str, known: Sequence[str]) -> str:
        value = self.raw(key)
        if not isinstance(value, str) or value not in known:
            self._fail(key, f"one of {', '.join(known)}")
        return str(value)

    def integer(self, key: str, low: int, high: int) -> int:
        value = self.raw(key)
        if type(value) is not int or not low <= value <= high:
            self._fail(key, f"a whole number from {low} to {high}")
        return int(value)

    def number(self, key: str, low: float = -math.inf, high: float = math.inf) -> float:
        return self._number(key, self.raw(key), low, high)

    def numbers(self, key: str, count: int) -> tuple[float, ...]:
        value = self.raw(key)
        if not isinstance(value, (list, tuple)) or len(value) != count:
            self._fail(key, f"{count} numbers")
        return tuple(self._number(key, item, -_MAX_NUMBER, _MAX_NUMBER) for item in value)

    def optional(self, key: str, read: Callable[[str], T]) -> T | None:
        """What `read`, one of the methods here, makes of the field; None where it is absent or null."""
        self._seen.add(key)
        return None if self._data.get(key) is None else read(key)

    def optional_numbers(self, key: str, count: int) -> tuple[float, ...] | None:
        return self.optional(key, lambda given: self.numbers(given, count))

    def nullable_numbers(self, key: str, count: int) -> tuple[float, ...] | None:
        return None if self.raw(key) is None else self.numbers(key, count)

    def boolean(self, key: str) -> bool:
        value = self.raw(key)
        if not isinstance(value, bool):
            self._fail(key, "true or false")
        return bool(value)

    def string(self, key: str) -> str:
        value = self.raw(key)
        if not isinstance(value, str) or len(value) > _MAX_STRING:
            self._fail(key, f"text of at most {_MAX_STRING} characters")
        return str(value)

    def strings(self, key: str) -> tuple[str, ...]:
        value = self.raw(key)
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
            self._fail(key, "a list of texts")
        return tuple(value)

    def string_map(self, key: str) -> dict[str, str]:
        value = self.raw(key)
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in (*value, *value.values())):
            self._fail(key, "an object of texts")
        return dict(value)

    def optional_object(self, key: str) -> dict[str, Any] | None:
        """An object that only its writer reads; what is inside is not looked at."""
        self._seen.add(key)
        value = self._data.get(key)
        if value is not None and not isinstance(value, dict):
            self._fail(key, "an object or nothing")
        return value

    def digest(self, key: str) -> str:
        value = self.raw(key)
        if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{64}", value):
            self._fail(key, "64 hexadecimal digits")
        return str(value)

    def optional_digest(self, key: str) -> str | None:
        return None if self.raw(key) is None else self.digest(key)

    def quantization(self, dtype: str) -> dict[str, Any]:
        """`scale` and `zero_point`: required for the integer types, unknown fields for the rest."""
        if dtype not in _ZERO_POINTS:
            return {}
        low, high = _ZERO_POINTS[dtype]
        scale = self.number("scale")
        if not _MIN_SCALE <= scale <= _MAX_SCALE:
            self._fail("scale", f"a number from {_MIN_SCALE:g} to {_MAX_SCALE:g}")
        return {"scale": scale, "zero_point": self.integer("zero_point", low, high)}

    def part(self, key: str, read: Callable[[object], T]) -> T | None:
        self._seen.add(key)
        return None if self._data.get(key) is None else read(self._data[key])

    def _number(self, key: str, value: object, low: float = -math.inf, high: float = math.inf) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not _finite(value)
            or not low <= value <= high
        ):
            bounds = "a number" if math.isinf(low) else f"a number from {low:g} to {high:g}"
            self._fail(key, bounds)
        return float(value)  # type: ignore[arg-type]

    def _fail(self, key: str, expected: str) -> None:
        found = shown(self._data.get(key))
        raise ContractError(f"contract: {self._where}{key} is {found}, expected {expected}; correct the contract")


def shown(value: object) -> str:
    """For a message: one line of at most 80 characters, three levels deep."""
    short = reprlib.Repr()
    short.maxlevel, short.maxstring, short.maxother, short.maxlong = 3, 80, 80, 80
    try:
        text = short.repr(value)
    except ValueError:  # an integer of thousands of digits
        return f"{_name(value)} too large to print"
    return text if len(text) <= 80 else text[:79] + "…"


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _name(data: object) -> str:
    return "nothing" if data is None else f"a {type(data).__name__}"
