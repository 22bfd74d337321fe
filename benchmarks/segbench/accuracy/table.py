"""The accuracy of a model for people."""

from __future__ import annotations

from collections.abc import Sequence

from segbench.results.accuracy import MEASURES, AccuracyResult, Score

LABELS = {"iou": "IoU", "boundary_f": "boundary F", "mean_absolute_error": "mean absolute error"}
_COLUMNS = ("mean", "std", "min", "p10", "p50", "p90", "max")


def print_accuracy(result: AccuracyResult) -> None:
    """The table on standard output, and below it the pictures with the lowest IoU."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(headline(result), markup=False, soft_wrap=True)
    table = Table()
    table.add_column(f"{len(result.each)} pictures, %")
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    for name in MEASURES:
        cells = [f"{100 * getattr(result.summary[name], column):.2f}" for column in _COLUMNS]
        table.add_row(LABELS[name], *cells)
    console.print(table)
    lowest = ", ".join(f"{one.picture} {100 * one.iou:.1f}" for one in worst_pictures(result.each))
    console.print(f"lowest IoU: {lowest}", markup=False, soft_wrap=True)


def worst_pictures(each: Sequence[Score], count: int = 8) -> list[Score]:
    """The pictures with the lowest IoU, lowest first."""
    return sorted(each, key=lambda one: one.iou)[:count]


def headline(result: AccuracyResult) -> str:
    """Model and preset in one line."""
    file, preset = result.model.file, result.preset
    return (
        f"{file.name}: {file.precision}, {result.model.library}, "
        f"{f'preset {preset}' if preset else 'no preset'}, alpha cut at {result.threshold:g} for IoU and boundary F"
    )
