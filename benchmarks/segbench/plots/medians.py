"""Where the time goes: the medians of the parts side by side. Read it next to `stages`: a bar has no spread."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from segbench.latency.table import LABELS
from segbench.plots.canvas import Plot
from segbench.plots.palette import INK, SERIES
from segbench.plots.words import label
from segbench.results.latency import Configuration, LatencyResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTS = ("preprocess", "invoke", "postprocess", "refine", "composite")  # what the whole consists of
_WIDTH, _ROW, _ABOVE, _BELOW, _LEFT, _RIGHT = 10.0, 0.42, 0.5, 0.6, 2.75, 0.3


def medians_plot(result: LatencyResult) -> Plot:
    configurations = result.configurations
    return Plot(
        kind="medians",
        about="Medians of the parts of the whole, stacked: a bar for each configuration, a mark for its whole",
        size=(_WIDTH, _ABOVE + _BELOW + _ROW * len(configurations)),
        draw=partial(_draw, configurations),
    )


def _draw(configurations: Sequence[Configuration], figure: Figure) -> None:
    height = float(figure.get_size_inches()[1])
    box = (_LEFT / _WIDTH, _BELOW / height, (_WIDTH - _LEFT - _RIGHT) / _WIDTH, (height - _ABOVE - _BELOW) / height)
    axes = figure.add_axes(box)
    rows = range(len(configurations))
    begins = [0.0] * len(configurations)
    for colour, part in zip(SERIES, PARTS, strict=False):
        widths = [one.stages[part].p50_ms if part in one.stages else 0.0 for one in configurations]
        if any(widths):
            axes.barh(rows, widths, left=begins, height=0.6, color=colour, label=LABELS[part])
        begins = [begin + width for begin, width in zip(begins, widths, strict=True)]
    wholes = [one.stages["whole"].p50_ms for one in configurations]
    axes.plot(wholes, rows, color=INK, linestyle="none", marker="|", markersize=16, markeredgewidth=1.6, label="whole")
    axes.set_yticks(rows, [label(one.name, 36) for one in configurations], fontsize=8, color=INK)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(configurations) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.grid(axis="x")
    axes.set_xlabel(
        "medians of the parts, stacked, ms; the whole was measured as its own, and medians need not add up to it"
    )
    axes.xaxis.label.set_fontsize(8)
    axes.xaxis.set_label_coords(1.0, -0.38 / (height - _ABOVE - _BELOW))
    axes.xaxis.label.set_horizontalalignment("right")
    figure.legend(
        loc="upper left", bbox_to_anchor=(_LEFT / _WIDTH - 0.01, 1.0), ncols=len(PARTS) + 1, columnspacing=1.2
    )
