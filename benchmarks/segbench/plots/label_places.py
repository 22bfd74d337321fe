"""Where the numbers of points go, so that none covers another."""

from __future__ import annotations

from collections.abc import Sequence

Spot = tuple[float, float]

_AROUND = ((1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1.3), (0, -1.3), (1.3, 0), (-1.3, 0))
_RINGS = (11.0, 20.0, 30.0, 42.0)
_WIDE, _HIGH = 14.0, 11.0  # of a number, and what it keeps free


def spots(points: Sequence[Spot]) -> list[Spot]:
    """For each point, `(x, y)` in points of 1/72 inch, where its number's middle goes: the nearest place that is free.

    In the order given; where all places are taken, the first.
    """
    placed: list[Spot] = []
    for x, y in points:
        candidates = [(x + dx * ring, y + dy * ring) for ring in _RINGS for dx, dy in _AROUND]
        free = [spot for spot in candidates if not any(_cover(spot, other) for other in (*placed, *points))]
        placed.append(free[0] if free else candidates[0])
    return placed


def _cover(a: Spot, b: Spot) -> bool:
    return abs(a[0] - b[0]) < _WIDE and abs(a[1] - b[1]) < _HIGH
