"""A result as a table: in Markdown for docs/, and with rich for anyone who runs the command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from peers.export_table import export_headings, export_notes, export_rows
from peers.results import EXPORT_FORMAT, RUN_FORMAT
from peers.run_table import run_headings, run_notes, run_rows
from segbench.results.export import as_table

Row = Sequence[str]
_TABLES: dict[str, tuple[Callable[[], Row], Callable[[dict[str, Any]], list[Row]], Callable[..., list[str]]]] = {
    RUN_FORMAT: (run_headings, run_rows, run_notes),
    EXPORT_FORMAT: (export_headings, export_rows, export_notes),
}


def markdown_table(result: dict[str, Any]) -> str:
    """The table of a result of either command, as `read_peers` gives it, without its notes and a newline at its end.

    Text columns on the left, numbers on the right.
    """
    headings, rows, _ = _TABLES[result["format"]]
    found = rows(result)
    numeric = [k for k in range(len(headings())) if _is_numeric([row[k] for row in found])]
    return as_table(headings(), [[cell.replace("|", "\\|") for cell in row] for row in found], numeric)


def notes(result: dict[str, Any]) -> list[str]:
    """What has to be known next to the table: how each peer was made to take the model, and what could not be measured."""
    return _TABLES[result["format"]][2](result)


def print_result(result: dict[str, Any]) -> None:
    """The table and its notes on standard output, at most as wide as the terminal."""
    from rich.console import Console
    from rich.table import Table

    headings, rows, _ = _TABLES[result["format"]]
    found = rows(result)
    table = Table(padding=(0, 0), pad_edge=False)
    for k, heading in enumerate(headings()):
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
