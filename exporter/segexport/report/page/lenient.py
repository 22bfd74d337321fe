"""A report's values as they may come from another hand or another version: absent, null, or of another kind."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

MOST_ENTRIES = 2000
MOST_LETTERS = 160


def mapping(value: object) -> Mapping[str, Any]:
    """The object, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def entries(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list, at most 2000."""
    found = value if isinstance(value, (list, tuple)) else ()
    return [item for item in found[:MOST_ENTRIES] if isinstance(item, Mapping)]


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
