"""Signal-to-noise of every operator of a quantized file, in order of execution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segexport.report.page.values import Known, brief, entries, fixed, mapping, number

_LOWEST = 8
_FULL_DB = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseBar:
    """As it is shown: `height` is the level in dB cut to 0.3–60, `low` if it is among the lowest."""

    number: int
    operator: str
    name: str
    full_name: str
    level: str
    height: float
    low: bool


def noise_operators(body: Mapping[str, Any]) -> list[NoiseBar]:
    found = entries(mapping(body.get("noise"))["operators"])
    lowest = _lowest(found, min(_LOWEST, max(1, len(found) // 3)))
    return [_operator(one, k, k in lowest) for k, one in enumerate(found)]


def _lowest(operators: Sequence[Known], most: int) -> set[int]:
    """Positions of the operators with the least signal to noise."""
    levels = [(level, k) for k, one in enumerate(operators) if (level := number(one["snr_db"])) is not None]
    return {k for _, k in sorted(levels)[:most]}


def _operator(one: Known, place: int, low: bool) -> NoiseBar:
    level, index = number(one["snr_db"]), number(one["index"])
    return NoiseBar(
        number=place if index is None else int(index),
        operator=brief(one["operator"]),
        name=_short(brief(one["name"], 2000)),
        full_name=brief(one["name"], 400),
        level=fixed(level, 1),
        height=min(_FULL_DB, max(0.3, level or 0.0)),
        low=low,
    )


def _short(name: str) -> str:
    """The last three parts of the first of the names that a converter joined with semicolons."""
    return brief("/".join(name.split(";")[0].strip("/").split("/")[-3:]), 60)
