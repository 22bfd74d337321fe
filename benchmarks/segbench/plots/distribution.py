"""Every value of the whole, frame to composite: for each configuration its distribution, and below it each process.

The outline shows several modes, the lines below it whether processes differ, the numbers next to it the tail.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from segbench.plots.canvas import Plot
from segbench.plots.latency_values import of_all, of_processes
from segbench.plots.outline import MOST_LANES, beyond, lanes
from segbench.plots.palette import INK, SOFT, verdict_colour
from segbench.plots.rows import Rows
from segbench.plots.scale import Scale, scale_for
from segbench.plots.words import label
from segbench.results.latency import Configuration, LatencyResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _ROW, _ABOVE, _BELOW = 10.0, 0.72, 0.75, 0.55  # inches
_LEFT, _RIGHT = 2.75, 2.75
_OUTLINE, _LANES = 0.46, 0.3  # of a row's height
_FEWEST_LANES, _LANES_IN_ALL = 3, 240
_NUMBERS = ("p50_ms", "p90_ms", "p99_ms", "max_ms", "n")


def distribution_plot(result: LatencyResult) -> Plot:
    configurations = result.configurations
    return Plot(
        kind="distribution",
        about="Distribution of the time from frame to composite: a row for each configuration, a line for each process",
        size=(_WIDTH, _ABOVE + _BELOW + _ROW * len(configurations)),
        draw=partial(_draw, configurations),
    )


def _draw(configurations: Sequence[Configuration], figure: Figure) -> None:
    width, height = figure.get_size_inches()
    box = (_LEFT / width, _BELOW / height, (width - _LEFT - _RIGHT) / width, (height - _ABOVE - _BELOW) / height)
    axes = figure.add_axes(box)
    scale = scale_for([of_all(one, "whole") for one in configurations])
    most = min(MOST_LANES, max(_FEWEST_LANES, _LANES_IN_ALL // len(configurations)))
    rows = Rows(scale=scale)
    for row, one in enumerate(configurations):
        _add_row(rows, one, row, most)
        _write_margins(axes, one, scale, row)
    scale.apply(axes)
    rows.draw(axes)
    axes.set_ylim(len(configurations) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel(f"frame → composite, ms{scale.words}")
    _draw_head(axes, grouped=any(len(one.processes) > most for one in configurations))


def _add_row(rows: Rows, one: Configuration, row: int, most: int) -> None:
    """From the row's middle: the outline up, the processes down."""
    processes, colour = of_processes(one, "whole"), verdict_colour(one.stability["whole"].verdict)
    rows.add_outline(processes, row, _OUTLINE, colour)
    rows.add_marks(one.stages["whole"], row, _OUTLINE)
    shown = lanes(processes, most)
    step = _LANES / max(len(shown), 4)
    for k, lane in enumerate(shown):
        top = row + 0.05 + k * step
        rows.add_ticks(lane, top, top + 0.7 * step, colour)
        rows.add_dot(float(np.median(lane)), top + 0.35 * step, INK)


def _write_margins(axes: Any, one: Configuration, scale: Scale, row: int) -> None:
    across, whole = axes.get_yaxis_transform(), one.stages["whole"]
    verdict = one.stability["whole"].verdict
    name = label(one.name)
    lines = name.count("\n") + 1
    axes.text(-0.03, row - 0.05, name, transform=across, ha="right", va="center", fontsize=8.5, linespacing=1.15)
    place = row - 0.05 + 0.14 + 0.1 * lines
    axes.text(
        -0.03, place, verdict, transform=across, ha="right", va="center", fontsize=7.5, color=verdict_colour(verdict)
    )
    for k, key in enumerate(_NUMBERS):
        text = f"{whole.n:,}" if key == "n" else number(getattr(whole, key))
        axes.text(_column(k), row - 0.1, text, transform=across, ha="right", va="center", fontsize=8.5)
    count = beyond(of_all(one, "whole"), scale)
    if count:
        axes.text(
            1.005,
            row + 0.15,
            f"▸ {count:,} of them beyond the axis",
            transform=across,
            va="center",
            fontsize=7,
            color=SOFT,
        )


def _draw_head(axes: Any, *, grouped: bool) -> None:
    """Over the columns what they are; over the rows how they are read."""
    across = axes.get_yaxis_transform()
    for k, key in enumerate(_NUMBERS):
        title = key.removesuffix("_ms")
        axes.text(_column(k), -0.5 - 0.1 / _ROW, title, transform=across, ha="right", fontsize=8, color=SOFT)
    how = (
        "Outline: all values, each row to its own height; lines within it, tall to short: p50, p90, p99.\n"
        f"Below it: a line for {'some processes each' if grouped else 'each process'} in the order of measurement, "
        "a tick for each value, a dot for the median."
    )
    axes.figure.text(0.1 / _WIDTH, 1 - 0.1 / axes.figure.get_size_inches()[1], how, va="top", fontsize=7.5, color=SOFT)


def _column(k: int) -> float:
    """The right edge of a column of numbers, in widths of the axes."""
    return 1 + (0.62 + 0.48 * k) / (_WIDTH - _LEFT - _RIGHT)


def number(value_ms: float) -> str:
    """Three digits at least, and no more than hundredths."""
    return f"{value_ms:,.0f}" if value_ms >= 1000 else f"{value_ms:.1f}" if value_ms >= 100 else f"{value_ms:.2f}"
