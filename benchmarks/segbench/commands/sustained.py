"""`segbench sustained`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from segbench.console import INTERRUPTED, one_line_refusals, print_json, require_rich
from segbench.plots import check_plot, write_plot
from segbench.plots.sustained import sustained_plot
from segbench.process.job import parse_size
from segbench.results.file import write_results
from segbench.results.output_file import check_output
from segbench.results.sustained import SustainedResult
from segbench.sustained.run import SustainedJob, run_sustained
from segbench.sustained.table import minute_line, print_sustained
from segruntime.backends import BACKENDS
from segruntime.refine import PRESETS

EPILOG = """
Examples:

\b
  segbench sustained --minutes 10
  segbench sustained --minutes 30 --preset balanced --plot sustained.png -o sustained.json
"""


@click.command(epilog=EPILOG)
@click.option("--minutes", type=float, default=10.0, show_default=True, help="How long; a part of a minute is fine.")
@click.option("--model", type=click.Path(path_type=Path), help="A .tflite or .onnx file; default: the bundled one.")
@click.option("--backend", type=click.Choice(list(BACKENDS)), help="Measure its bundled model, or the file of --model.")
@click.option("--threads", type=int, help="Default: the cores of this machine, at most 4.")
@click.option("--size", metavar="WxH", help="Size of the frame; default: 1280x720, or that of --input.")
@click.option(
    "--input", type=click.Path(path_type=Path), help="A picture or a video of a person; default: a drawn one."
)
@click.option("--preset", type=click.Choice(list(PRESETS)), help="Refine the mask as segrun does; default: not at all.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the minutes: FILE.png, .svg or .pdf.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write everything as FILE.json.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON, raw values included, on standard output.")
def sustained(plot: Path | None, output: Path | None, as_json: bool, size: str | None, **options: Any) -> None:
    """Measure whether this machine keeps its pace for minutes, or grows hot and slows down.

    From frame to composite without a pause: p50 and p90 of each minute, with temperature, clock and throttling where the
    machine tells them. Ctrl-C ends it early; what was measured is kept.
    """
    with one_line_refusals():
        _check(plot, output, as_json)
        job = SustainedJob(size=None if size is None else parse_size(size), **options)
        result = run_sustained(job, lambda minute: click.echo(minute_line(minute), err=True))
        _show(result, as_json)  # before anything is written: a full disk must not take it away
        _keep(result, plot, output)
    if result.interrupted:
        count = len(result.minutes)
        click.echo(f"segbench: interrupted in minute {count}; what was measured is kept", err=True)
        sys.exit(INTERRUPTED)


def _check(plot: Path | None, output: Path | None, as_json: bool) -> None:
    """All that can be refused before minutes are spent."""
    if not as_json:
        require_rich()
    if plot is not None:
        check_plot(plot)
    if output is not None:
        check_output(output)


def _keep(result: SustainedResult, plot: Path | None, output: Path | None) -> None:
    if output is not None:
        write_results(output, result.to_json())
    if plot is not None:
        write_plot(sustained_plot(result), plot)


def _show(result: SustainedResult, as_json: bool) -> None:
    if as_json:
        print_json(result.to_json())
        return
    for text in result.warnings:
        click.echo(f"segbench: {text}", err=True)
    print_sustained(result)
