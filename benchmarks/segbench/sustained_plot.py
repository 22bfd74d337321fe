"""The minutes as a picture: latency above; temperature and clock below, where the machine tells them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from segbench.minutes import Minute
from segbench.output_file import check_output, write_whole
from segbench.sustained_table import in_words
from segbench.video_plot import check_plot

_LATENCY, _WARM, _CLOCK, _HELD = "#1f6f8b", "#c0392b", "#7f8c8d", "#f5b7b1"


def check_sustained_plot(path: Path) -> None:
    """Before anything is measured.

    Raises:
        OptionError: another ending than a picture's. OutputError: it cannot be written. MissingExtraError: no matplotlib.
    """
    check_plot(path)
    check_output(path)


def draw_sustained(result: dict[str, Any], path: Path) -> None:
    """Draw the result of `run_sustained`; minutes in which the clock was held down have a red ground.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    minutes = result["minutes"]
    has_sensors = any(one[key] is not None for one in minutes for key in ("temperature_c", "frequency_mhz"))
    figure = Figure(figsize=(10, 6 if has_sensors else 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2 if has_sensors else 1, 1, sharex=True, squeeze=False)[:, 0]
    _draw_latency(axes[0], minutes)
    if has_sensors:
        _draw_sensors(axes[1], minutes)
        _mark_throttled(axes[1], minutes)
    axes[0].set_title(f"{result['model']['name']}: {in_words(result)}")
    axes[-1].set_xlabel("minutes since the start")
    data = io.BytesIO()
    figure.savefig(data, format=path.suffix[1:].lower(), dpi=120)
    write_whole(path, data.getvalue())


def _draw_latency(axes: Any, minutes: list[Minute]) -> None:
    """The median with a band up to the 90th percentile."""
    middle, high = ([one[key] for one in minutes] for key in ("p50_ms", "p90_ms"))
    axes.fill_between(_centres(minutes), middle, high, color=_LATENCY, alpha=0.2, linewidth=0, label="p50 to p90")
    axes.plot(_centres(minutes), middle, color=_LATENCY, marker="o", label="p50")
    _mark_throttled(axes, minutes)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("frame → composite, ms")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def _draw_sensors(axes: Any, minutes: list[Minute]) -> None:
    _line(axes, minutes, "temperature_c", "temperature, °C", _WARM)
    _line(axes.twinx(), minutes, "frequency_mhz", "clock, MHz", _CLOCK)
    axes.grid(alpha=0.3)


def _line(axes: Any, minutes: list[Minute], key: str, label: str, colour: str) -> None:
    if all(one[key] is None for one in minutes):
        axes.set_yticks([])
        return
    values = [float("nan") if one[key] is None else one[key] for one in minutes]
    axes.plot(_centres(minutes), values, color=colour, marker="o", linewidth=1)
    axes.set_ylabel(label, color=colour)


def _mark_throttled(axes: Any, minutes: list[Minute]) -> None:
    for one in minutes:
        if one["throttled"]:
            axes.axvspan(
                one["minute"] - 1, one["minute"] - 1 + one["seconds"] / 60, color=_HELD, alpha=0.4, linewidth=0
            )


def _centres(minutes: list[Minute]) -> list[float]:
    return [one["minute"] - 1 + one["seconds"] / 120 for one in minutes]
