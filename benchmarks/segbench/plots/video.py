"""Flicker, and agreement with the reference, over time."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segbench.plots.canvas import Plot
from segbench.plots.palette import SERIES
from segbench.plots.words import shortened
from segbench.video.result import StreamResult, VideoResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def video_plot(result: VideoResult) -> Plot:
    """Of the result of `run_video`: one line for each stream; a second panel for the IoU with the reference, if any."""
    compared = [stream for stream in result.streams if stream.iou_per_frame]
    return Plot(
        kind="video",
        about="Flicker over the clip" + (", and the agreement with the reference" if compared else ""),
        size=(10.0, 6.0 if compared else 3.5),
        draw=partial(_draw_panels, result, compared),
    )


def _draw_panels(result: VideoResult, compared: list[StreamResult], figure: Figure) -> None:
    fps = result.clip.fps
    figure.set_layout_engine("constrained")
    axes = figure.subplots(2 if compared else 1, 1, sharex=True, squeeze=False)[:, 0]
    _draw(axes[0], result.streams, "flicker_per_frame", "flicker, % of the person", fps)
    if compared:
        _draw(axes[1], compared, "iou_per_frame", "IoU with the reference, %", fps)
    axes[0].set_title(shortened(Path(result.clip.path).name, 80), loc="left")
    axes[-1].set_xlabel("seconds" if fps else "frame")


def _draw(axes: Any, streams: list[StreamResult], key: str, label: str, fps: float | None) -> None:
    for k, stream in enumerate(streams):
        values = [float("nan") if value is None else 100 * value for value in getattr(stream, key)]
        seconds = [at / (fps or 1) for at in range(len(values))]
        style = ("-", "--", ":", "-.")[k // len(SERIES) % 4]
        axes.plot(seconds, values, style, color=SERIES[k % len(SERIES)], linewidth=1, label=shortened(stream.label, 80))
    axes.set_ylabel(label)
    axes.grid()
    axes.legend()
