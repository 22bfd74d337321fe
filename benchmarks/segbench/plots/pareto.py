"""How exact against how fast: a panel for each field of `segbench.plots.pareto_front`, the front as a line."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from segbench.plots.canvas import Plot
from segbench.plots.distribution import number
from segbench.plots.label_places import spots
from segbench.plots.palette import BLUE, INK, SOFT
from segbench.plots.pareto_front import Field, Point, pareto_front
from segbench.plots.scale import Scale, scale_for
from segbench.plots.words import label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT, _LINE = 10.0, 4.6, 0.33  # inches
_LEFT, _RIGHT, _ABOVE, _BELOW = 0.75, 4.6, 0.45, 0.6
_LEAST_SPAN = 0.5  # points of IoU: a hundredth of a point must not look like a step
_AREA_PER_MB = 36.0  # square points


def pareto_plot(fields: Sequence[Field]) -> Plot:
    """Of at least one field."""
    heights = [max(_HEIGHT, _ABOVE + _BELOW + _LINE * (len(one.points) + 1)) for one in fields]
    return Plot(
        kind="pareto",
        about="Mean IoU with hand-made masks against the time from frame to composite, with the Pareto front",
        size=(_WIDTH, sum(heights)),
        draw=partial(_draw, fields, heights),
    )


def _draw(fields: Sequence[Field], heights: Sequence[float], figure: Figure) -> None:
    total, top = sum(heights), 0.0
    for one, height in zip(fields, heights, strict=True):
        across, up = _WIDTH - _LEFT - _RIGHT, height - _ABOVE - _BELOW
        box = (_LEFT / _WIDTH, 1 - (top + height - _BELOW) / total, across / _WIDTH, up / total)
        _draw_field(figure.add_axes(box), one, (across, up))
        top += height


def _draw_field(axes: Any, one: Field, size: tuple[float, float]) -> None:
    points = sorted(one.points, key=lambda point: (point.p50_ms, -point.iou, point.name))
    front = pareto_front(points)
    scale, (low, high) = _times(points), _span(points)
    _draw_front(axes, front, scale, low)
    for point in points:
        is_on = point in front
        axes.plot([point.p50_ms, point.p90_ms], [100 * point.iou] * 2, color=SOFT, linewidth=0.9)
        axes.scatter(
            [point.p50_ms],
            [100 * point.iou],
            s=max(12.0, _AREA_PER_MB * point.size_bytes / 1e6),
            facecolor=BLUE if is_on else "none",
            edgecolor=BLUE if is_on else SOFT,
            alpha=0.75,
            zorder=3,
        )
    scale.apply(axes)
    axes.set_ylim(low, high)
    axes.grid()
    axes.set_xlabel(f"frame → composite, p50 with a line to p90, ms{scale.words}")
    axes.set_ylabel("mean IoU with hand-made masks, %, not from 0")
    axes.set_title(f"{one.frame}; masks of {one.pictures} pictures", loc="left", fontsize=9)
    _write_numbers(axes, points, front, scale, (low, high), size)


def _times(points: Sequence[Point]) -> Scale:
    return scale_for([np.array([point.p50_ms, point.p90_ms]) for point in points])


def _span(points: Sequence[Point]) -> tuple[float, float]:
    """Of the axis of IoU in %: the points with some air, half a point of IoU at least."""
    values = [100 * point.iou for point in points]
    middle, half = (min(values) + max(values)) / 2, 0.6 * (max(values) - min(values))
    half = max(half, _LEAST_SPAN / 2)
    return middle - half, middle + half


def _draw_front(axes: Any, front: Sequence[Point], scale: Scale, low: float) -> None:
    """As a staircase: what is below and to the right of it is slower or less exact than something that is there."""
    across = [front[0].p50_ms, *(point.p50_ms for point in front), scale.high]
    up = [low, *(100 * point.iou for point in front), 100 * front[-1].iou]
    axes.step(across, up, where="post", color=BLUE, linewidth=1.2, linestyle=(0, (4, 2)))


def _write_numbers(
    axes: Any,
    points: Sequence[Point],
    front: Sequence[Point],
    scale: Scale,
    span: tuple[float, float],
    size: tuple[float, float],
) -> None:
    """A number at each point, and next to the panel whose it is."""
    across = scale.drawn(np.array([point.p50_ms for point in points])) * size[0] * 72
    up = [(100 * point.iou - span[0]) / (span[1] - span[0]) * size[1] * 72 for point in points]
    places = list(zip(map(float, across), up, strict=True))
    for k, (x, y) in enumerate(spots(places)):
        at = (x / 72 / size[0], y / 72 / size[1])
        axes.text(*at, str(k + 1), transform=axes.transAxes, ha="center", va="center", fontsize=8)
    several = len({point.source for point in points}) > 1
    cells = [(0, text, right, side, "normal", SOFT) for text, right, side in _HEAD]
    for k, point in enumerate(points):
        weight = "bold" if point in front else "normal"
        cells += [(k + 1, text, right, side, weight, INK) for text, right, side in _entry(k, point, several)]
    for line, text, right, side, weight, colour in cells:
        place = (1 + right / size[0], 1 - _LINE * (line + 0.3) / size[1])
        axes.text(
            *place,
            text,
            transform=axes.transAxes,
            ha=side,
            va="center",
            fontsize=7.5,
            fontweight=weight,
            color=colour,
            linespacing=1.05,
        )


_NAME, _P50, _IOU = (
    (0.45, "left"),
    (3.85, "right"),
    (4.4, "right"),
)  # inches from the panel's edge to an end of the cell
_HEAD = (("bold: on the front; area: the file's size", *_NAME), ("p50, ms", *_P50), ("IoU, %", *_IOU))


def _entry(k: int, point: Point, several: bool) -> list[tuple[str, float, str]]:
    """The cells of a line of the key; with the results file where there is more than one."""
    name = f"{point.name} ({point.source})" if several else point.name
    return [
        (str(k + 1), 0.38, "right"),
        (label(name, 42), *_NAME),
        (number(point.p50_ms), *_P50),
        (f"{100 * point.iou:.2f}", *_IOU),
    ]
