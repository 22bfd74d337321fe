"""Every value of every stage but the whole: a panel for each stage, in it a row for each configuration."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from segbench.latency.table import LABELS
from segbench.plots.canvas import Plot
from segbench.plots.distribution import number
from segbench.plots.latency_values import of_all, of_processes
from segbench.plots.palette import SOFT, verdict_colour
from segbench.plots.rows import Rows
from segbench.plots.scale import scale_for
from segbench.plots.words import label
from segbench.results.latency import STAGES, Configuration, LatencyResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _ROW, _HEAD, _BETWEEN, _FOOT = 10.0, 0.42, 0.45, 0.75, 0.45  # inches
_LEFT, _NUMBERS, _GAP = 2.6, 0.5, 0.25
_COLUMNS = 2
_OUTLINE, _BASE = 0.62, 0.25  # of a row's height; its foot below the row's middle


def stages_plot(result: LatencyResult) -> Plot:
    configurations = result.configurations
    stages = stages_of(result)
    lines = -(-len(stages) // _COLUMNS)
    return Plot(
        kind="stages",
        about="Distribution of the time of each stage: a panel for each stage, and in it a row for each configuration",
        size=(_WIDTH, _HEAD + lines * (_ROW * len(configurations) + _BETWEEN)),
        draw=partial(_draw, configurations, stages),
    )


def stages_of(result: LatencyResult) -> list[str]:
    """Without the whole, which `distribution` shows."""
    names = (name for name in STAGES if name != "whole")
    return [name for name in names if any(name in one.stages for one in result.configurations)]


def _draw(configurations: Sequence[Configuration], stages: Sequence[str], figure: Figure) -> None:
    height, rows = float(figure.get_size_inches()[1]), _ROW * len(configurations)
    across = (_WIDTH - _LEFT - _COLUMNS * _NUMBERS - (_COLUMNS - 1) * _GAP) / _COLUMNS
    for k, stage in enumerate(stages):
        line, column = divmod(k, _COLUMNS)
        left = _LEFT + column * (across + _NUMBERS + _GAP)
        top = _HEAD + line * (rows + _BETWEEN) + (_BETWEEN - _FOOT)
        box = (left / _WIDTH, 1 - (top + rows) / height, across / _WIDTH, rows / height)
        _draw_stage(figure.add_axes(box), configurations, stage, named=column == 0)
    how = (
        "Outline: the values of all processes, each row to its own height; lines within it, tall to short: p50, p90, p99.\n"
        "Dots below it: the median of each process. The number is p50 in ms. Each panel has an axis of its own."
    )
    figure.text(0.1 / _WIDTH, 1 - 0.1 / height, how, va="top", fontsize=7.5, color=SOFT)


def _draw_stage(axes: Any, configurations: Sequence[Configuration], stage: str, *, named: bool) -> None:
    scale = scale_for([of_all(one, stage) for one in configurations if stage in one.stages])
    rows, across = Rows(scale=scale), axes.get_yaxis_transform()
    for row, one in enumerate(configurations):
        if stage in one.stages:
            _add_row(rows, one, stage, row + _BASE)
        middle = number(one.stages[stage].p50_ms) if stage in one.stages else "–"
        axes.text(1.02, row, middle, transform=across, va="center", fontsize=8)
        if named:
            axes.text(-0.05, row, label(one.name, 36), transform=across, ha="right", va="center", fontsize=7.5)
    scale.apply(axes)
    rows.draw(axes)
    axes.set_ylim(len(configurations) - 0.5, -0.5)
    axes.set_yticks([])
    axes.tick_params(axis="x", labelsize=8)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_title(f"{LABELS[stage]}, ms{scale.words}", loc="left", fontsize=9)


def _add_row(rows: Rows, one: Configuration, stage: str, base: float) -> None:
    processes, colour = of_processes(one, stage), verdict_colour(one.stability[stage].verdict)
    rows.add_outline(processes, base, _OUTLINE, colour)
    rows.add_marks(one.stages[stage], base, _OUTLINE)
    for values in processes:
        rows.add_dot(float(np.median(values)), base + 0.1, colour)
