"""Rows of distributions in one panel, gathered and then drawn at once: thousands of single marks would make a file large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segbench.plots.outline import outline, ticks
from segbench.plots.palette import INK
from segbench.plots.scale import Floats, Scale
from segbench.statistics.summary import Summary

# of a summary; its height as a share of the outline's; its line's width
MARKS = (("p50_ms", 1.0, 1.7), ("p90_ms", 0.72, 1.35), ("p99_ms", 0.44, 1.05))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """`scale` is the panel's axis across; down, row k has the middle k. Every add is kept until `draw`."""

    scale: Scale
    _outlines: dict[str, list[Floats]] = field(default_factory=dict)
    _ticks: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    _dots: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    _marks: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add_outline(self, processes: Sequence[Floats], base: float, height: float, colour: str) -> None:
        """The histogram of all values, from `base` upwards, `height` high at its highest bin."""
        across, up = outline(processes, self.scale)
        self._outlines.setdefault(colour, []).append(np.stack([across, base - height * up], axis=1))

    def add_marks(self, summary: Summary, base: float, height: float) -> None:
        """p50, p90 and p99 as lines from `base` upwards, tall to short."""
        for key, share, _ in MARKS:
            self._marks.setdefault(key, []).extend(_line(getattr(summary, key), base, base - height * share))

    def add_ticks(self, values: Floats, top: float, bottom: float, colour: str) -> None:
        """A line at each value."""
        for at in ticks(values, self.scale):
            self._ticks.setdefault(colour, []).extend(_line(float(at), top, bottom))

    def add_dot(self, at: float, place: float, colour: str) -> None:
        """Nothing where it lies beyond the axis."""
        if self.scale.low <= at <= self.scale.high:
            self._dots.setdefault(colour, []).append((at, place))

    def draw(self, axes: Any) -> None:
        """All of it on matplotlib's `axes`."""
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        for colour, shapes in self._outlines.items():
            whole = Path.make_compound_path(*(Path(shape, closed=False) for shape in shapes))
            axes.add_patch(PathPatch(whole, facecolor=colour, alpha=0.35, linewidth=0))
            axes.add_patch(PathPatch(whole, fill=False, edgecolor=colour, linewidth=0.8))
        for colour, lines in self._ticks.items():
            axes.plot(*zip(*lines, strict=True), color=colour, linewidth=0.5, alpha=0.75, solid_capstyle="butt")
        for key, _, width in MARKS:
            lines = self._marks.get(key, [])
            axes.plot(*zip(*lines, strict=True), color=INK, linewidth=width, solid_capstyle="butt")
        for colour, dots in self._dots.items():
            axes.plot(*zip(*dots, strict=True), color=colour, linestyle="none", marker="o", markersize=2.3)


def _line(at: float, begin: float, end: float) -> list[tuple[float, float]]:
    """Down at `at`, and a break."""
    return [(at, begin), (at, end), (float("nan"), float("nan"))]
