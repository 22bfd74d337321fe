"""A result as a table: in Markdown for docs/, and with rich for anyone who runs the command."""

from __future__ import annotations

from collections.abc import Sequence

from peers.export_table import export_headings, export_notes, export_rows
from peers.results import ExportResult, RunResult
from peers.run_table import run_headings, run_notes, run_rows
from segbench.results.export import as_table

Row = Sequence[str]


def markdown_table(result: RunResult | ExportResult) -> str:
    """The table of a result of either command, without its notes and a newline at its end.

    Text columns on the left, numbers on the right.
    """
    headings, found = _cells(result)
    numeric = [k for k in range(len(headings)) if _is_numeric([row[k] for row in found])]
    return as_table(headings, [[cell.replace("|", "\\|") for cell in row] for row in found], numeric)


def notes(result: RunResult | ExportResult) -> list[str]:
    """What has to be known next to the table: how each peer was made to take the model, and what could not be measured."""
    return run_notes(result) if isinstance(result, RunResult) else export_notes(result)


def _cells(result: RunResult | ExportResult) -> tuple[Row, list[Row]]:
    if isinstance(result, RunResult):
        return run_headings(), run_rows(result.peers)
    return export_headings(), export_rows(result)


def print_result(result: RunResult | ExportResult) -> None:
    """The table and its notes on standard output, at most as wide as the terminal."""
    from rich.console import Console
    from rich.table import Table

    headings, found = _cells(result)
    table = Table(padding=(0, 0), pad_edge=False)
    for k, heading in enumerate(headings):
        numeric = _is_numeric([row[k] for row in found])
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    for row in found:
        table.add_row(*row)
    console = Console(highlight=False)
    console.width = console.width if console.is_terminal else 120
    console.print(table, markup=False)
    for note in notes(result):
        console.print(f"- {note}", markup=False)


def _is_numeric(cells: Sequence[str]) -> bool:
    shown = [cell for cell in cells if cell not in ("", "–")]
    return bool(shown) and all(cell[0].isdigit() or cell[0] in "<>" for cell in shown)
