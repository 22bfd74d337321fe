"""`segbench export`."""

from __future__ import annotations

from pathlib import Path

import click

from segbench.console import one_line_refusals
from segbench.results.export import markdown, stages_csv, values_csv
from segbench.results.latency import read_latency
from segbench.results.output_file import check_output, write_whole

EPILOG = """
Examples:

\b
  segbench export results.json --markdown
  segbench export results.json --csv stages.csv
  segbench export results.json --values values.csv
"""
_FILE = click.Path(path_type=Path, allow_dash=True)


@click.command(epilog=EPILOG)
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--csv", "stages", type=_FILE, help="A row for each stage of each configuration, as FILE or - .")
@click.option("--values", type=_FILE, help="A row for each raw value, as CSV, as FILE or - .")
@click.option("--markdown", "as_markdown", is_flag=True, help="Tables for a page, on standard output.")
def export(results: Path, stages: Path | None, values: Path | None, as_markdown: bool) -> None:
    """Turn RESULTS, written by segbench -o, into CSV or Markdown.

    A name that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    if stages is None and values is None and not as_markdown:
        raise click.UsageError("nothing to make; give --csv FILE, --values FILE or --markdown")
    files = [path for path in (stages, values) if path is not None and str(path) != "-"]
    with one_line_refusals():
        for path in files:
            check_output(path)
        result = read_latency(results)
        if stages is not None:
            _write(stages, stages_csv(result))
        if values is not None:
            _write(values, values_csv(result))
        if as_markdown:
            click.echo(markdown(result), nl=False)


def _write(path: Path, text: str) -> None:
    if str(path) == "-":
        click.echo(text, nl=False)
    else:
        write_whole(path, text.encode("utf-8"))
