"""Flicker, and agreement with the reference, over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segbench.errors import MissingExtraError, OptionError

SUFFIXES = (".png", ".svg", ".pdf")


def check_plot(path: Path) -> None:
    """Before anything is measured.

    Raises:
        OptionError: another ending, or no such folder.
        MissingExtraError: matplotlib is not installed.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise OptionError(f"plot: got {path}, expected a file that ends in {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise OptionError(f"plot: {path.parent} is no folder, expected one that is there; make it first")
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("the plot", "matplotlib") from error


def draw_plot(result: dict[str, Any], path: Path) -> None:
    """One line for each stream; a second panel for the IoU with the reference where there is one.

    Raises:
        OptionError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    compared = [stream for stream in result["streams"] if stream["iou_per_frame"]]
    figure = Figure(figsize=(10, 6 if compared else 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2 if compared else 1, 1, sharex=True, squeeze=False)[:, 0]
    _draw(axes[0], result["streams"], "flicker_per_frame", "flicker, % of the person", result["clip"]["fps"])
    if compared:
        _draw(axes[1], compared, "iou_per_frame", "IoU with the reference, %", result["clip"]["fps"])
    axes[0].set_title(Path(result["clip"]["path"]).name)
    axes[-1].set_xlabel("seconds" if result["clip"]["fps"] else "frame")
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise OptionError(f"plot: {path} cannot be written ({error.strerror}); choose another place") from error


def _draw(axes: Any, streams: list[dict[str, Any]], key: str, label: str, fps: float | None) -> None:
    for stream in streams:
        values = [float("nan") if value is None else 100 * value for value in stream[key]]
        axes.plot([k / (fps or 1) for k in range(len(values))], values, linewidth=1, label=stream["label"])
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
