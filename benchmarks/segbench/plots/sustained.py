"""The minutes as a picture: latency above; temperature and clock below, where the machine tells them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from segbench.plots.canvas import Plot
from segbench.plots.palette import BLUE, GREY, HELD, ORANGE
from segbench.plots.words import shortened
from segbench.results.sustained import Minute, SustainedResult
from segbench.sustained.table import in_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SENSORS = ("temperature_c", "frequency_mhz")


def sustained_plot(result: SustainedResult) -> Plot:
    """Of the result of `run_sustained`; minutes in which the clock was held down have a red ground."""
    has_sensors = any(getattr(one, key) is not None for one in result.minutes for key in _SENSORS)
    return Plot(
        kind="sustained",
        about="Time from frame to composite, minute by minute"
        + (", with the machine's sensors" if has_sensors else ""),
        size=(10.0, 6.0 if has_sensors else 3.8),
        draw=partial(_draw, result, has_sensors),
    )


def _draw(result: SustainedResult, has_sensors: bool, figure: Figure) -> None:
    minutes = result.minutes
    figure.set_layout_engine("constrained")
    axes = figure.subplots(2 if has_sensors else 1, 1, sharex=True, squeeze=False)[:, 0]
    _draw_latency(axes[0], minutes)
    if has_sensors:
        _draw_sensors(axes[1], minutes)
        _mark_throttled(axes[1], minutes)
    axes[0].set_title(f"{shortened(result.subject.model.name, 60)}: {in_words(result)}", loc="left")
    axes[-1].set_xlim(0, minutes[-1].minute - 1 + minutes[-1].seconds / 60)
    axes[-1].set_xlabel("minutes since the start")


def _draw_latency(axes: Any, minutes: Sequence[Minute]) -> None:
    """The median with a band up to the 90th percentile."""
    middle, high = ([getattr(one, key) for one in minutes] for key in ("p50_ms", "p90_ms"))
    axes.fill_between(_centres(minutes), middle, high, color=BLUE, alpha=0.25, linewidth=0, label="p50 to p90")
    axes.plot(_centres(minutes), middle, color=BLUE, marker="o", label="p50")
    _mark_throttled(axes, minutes)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("frame → composite, ms")
    axes.grid()
    axes.legend(loc="lower right")


def _draw_sensors(axes: Any, minutes: Sequence[Minute]) -> None:
    _line(axes, minutes, "temperature_c", "temperature, °C", ORANGE)
    other = axes.twinx()
    other.spines["right"].set_visible(True)
    _line(other, minutes, "frequency_mhz", "clock, MHz", GREY)
    axes.grid()


def _line(axes: Any, minutes: Sequence[Minute], key: str, label: str, colour: str) -> None:
    values = [getattr(one, key) for one in minutes]
    if all(value is None for value in values):
        axes.set_yticks([])
        return
    shown = [float("nan") if value is None else value for value in values]
    axes.plot(_centres(minutes), shown, color=colour, marker="o", linewidth=1)
    axes.set_ylabel(label, color=colour)


def _mark_throttled(axes: Any, minutes: Sequence[Minute]) -> None:
    for one in minutes:
        if one.throttled:
            begin = one.minute - 1
            axes.axvspan(begin, begin + one.seconds / 60, color=HELD, alpha=0.4, linewidth=0)


def _centres(minutes: Sequence[Minute]) -> list[float]:
    return [one.minute - 1 + one.seconds / 120 for one in minutes]
