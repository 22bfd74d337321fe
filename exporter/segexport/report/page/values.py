"""A report's values as text: absent, null or of another kind, as they may come from another hand or another version, too."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

MOST_ENTRIES = 2000
MOST_LETTERS = 160
NONE = "–"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Known(dict[str, Any]):
    """An object of a report; what it does not hold is None."""

    def __missing__(self, key: str) -> None:
        return None


def mapping(value: object) -> Known:
    """The object, or an empty one."""
    return Known(value) if isinstance(value, Mapping) else Known()


def entries(value: object) -> list[Known]:
    """The objects of a list, at most 2000."""
    found = value if isinstance(value, (list, tuple)) else ()
    return [Known(item) for item in found[:MOST_ENTRIES] if isinstance(item, Mapping)]


def words(value: object) -> list[str]:
    """The texts of a list, at most 2000, each shortened."""
    found = value if isinstance(value, (list, tuple)) else ()
    return [brief(item) for item in found[:MOST_ENTRIES] if isinstance(item, str)]


def number(value: object) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def brief(value: object, most: int = MOST_LETTERS) -> str:
    """A text or number with its middle left out where it is too long; "" for everything else."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    text = value if isinstance(value, str) else _digits(value)
    if len(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def _digits(value: float) -> str:
    found = number(value)
    return "a number too large" if found is None else f"{found:g}" if isinstance(value, float) else str(value)


def indented(value: Mapping[str, Any]) -> str:
    """JSON on lines of its own."""
    return brief(json.dumps(value, indent=2, ensure_ascii=False, default=str), 100_000)


def fixed(value: object, places: int, unit: str = "") -> str:
    found = number(value)
    return NONE if found is None else f"{found:,.{places}f}{unit}" if abs(found) < 1e15 else f"{found:.3g}{unit}"


def megabytes(size_bytes: object) -> str:
    found = number(size_bytes)
    return NONE if found is None else fixed(found / 1e6, 2)


def percent(share: object, places: int, of: object = 1) -> str:
    """A part of `of`."""
    part, whole = number(share), number(of)
    return fixed(100 * part / whole, places, " %") if part is not None and whole else NONE


def difference(value: object) -> str:
    """0.28, 0.0065, 4.4×10⁻⁶: three digits, or two and a power of ten below a thousandth."""
    found = number(value)
    if found is None:
        return NONE
    if found == 0 or 1e-3 <= abs(found) < 1e6:
        return f"{found:.3g}"
    digits, exponent = f"{found:.1e}".split("e")
    return f"{digits}×{power_of_ten(int(exponent))}"


def triple(values: object) -> str:
    """A value for each channel."""
    found = values if isinstance(values, (list, tuple)) else ()
    return ", ".join(brief(value, 20) for value in found[:4])


def power_of_ten(exponent: int) -> str:
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def size_in_words(size: object) -> str:
    """`[height, width]` as people say it: width × height."""
    if not isinstance(size, (list, tuple)) or len(size) != 2 or any(number(side) is None for side in size):
        return ""
    height, width = (fixed(side, 0).replace(",", "") for side in size)
    return f"{width} × {height}"
