"""`segbench report`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from segbench.console import one_line_refusals
from segbench.errors import OutputError
from segbench.plots import require_matplotlib
from segbench.plots.sources import read_sources
from segbench.report import build_page
from segbench.results.output_file import check_output, write_whole

EPILOG = """
Examples:

\b
  segbench report results.json
  segbench report laptop.json pi.json int8.accuracy.json sustained.json -o report.html
"""


@click.command(epilog=EPILOG)
@click.argument("results", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("report.html"),
    show_default=True,
    metavar="FILE.html",
)
def report(results: tuple[Path, ...], output: Path) -> None:
    """Put RESULTS, written by segbench -o, on one page that needs no other file and no network.

    Latency, accuracy and sustained results, of any number of machines. A page that is there is replaced.
    """
    with one_line_refusals():
        check_output(output)
        _refuse_input(output, results)
        require_matplotlib()
        page = build_page(read_sources(results))
        write_whole(output, page.encode("utf-8"))
        click.echo(output)


def _refuse_input(output: Path, results: Sequence[Path]) -> None:
    """Measuring it again would take longer than choosing another name."""
    if output.exists() and any(path.exists() and path.samefile(output) for path in results):
        raise OutputError(output, "it is one of the results", "choose another name")
