"""The accuracy of a model for people."""

from __future__ import annotations

from typing import Any

from segbench.accuracy.run import worst_pictures
from segbench.results.accuracy import MEASURES

LABELS = {"iou": "IoU", "boundary_f": "boundary F", "mean_absolute_error": "mean absolute error"}
_COLUMNS = ("mean", "std", "min", "p10", "p50", "p90", "max")


def print_accuracy(result: dict[str, Any]) -> None:
    """The table on standard output, and below it the pictures with the lowest IoU."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(headline(result), markup=False, soft_wrap=True)
    table = Table()
    table.add_column(f"{len(result['each'])} pictures, %")
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    for name in MEASURES:
        cells = [f"{100 * result['summary'][name][column]:.2f}" for column in _COLUMNS]
        table.add_row(LABELS[name], *cells)
    console.print(table)
    lowest = ", ".join(f"{one['picture']} {100 * one['iou']:.1f}" for one in worst_pictures(result["each"]))
    console.print(f"lowest IoU: {lowest}", markup=False, soft_wrap=True)


def headline(result: dict[str, Any]) -> str:
    """Model and preset in one line."""
    model, preset = result["model"], result["preset"]
    return (
        f"{model['name']}: {model['precision']}, {model['library']} {model['library_version']}, "
        f"{f'preset {preset}' if preset else 'no preset'}, alpha cut at {result['threshold']:g} for IoU and boundary F"
    )
