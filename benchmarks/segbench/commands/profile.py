"""`segbench profile`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from segbench.console import INTERRUPTED, one_line_refusals, print_json, with_progress
from segbench.profile.result import ProfileResult
from segbench.profile.run import ProfileJob, run_profile
from segbench.profile.table import print_profile
from segbench.results.file import write_results
from segbench.results.output_file import check_output
from segruntime.backends import BACKENDS

EPILOG = """
Examples:

\b
  segbench profile
  segbench profile --model int16x8.tflite --by kind
  segbench profile --backend onnx --seconds 30 -o profile.json
"""


@click.command(epilog=EPILOG)
@click.option("--model", type=click.Path(path_type=Path), help="A .tflite or .onnx file; default: the bundled one.")
@click.option("--backend", type=click.Choice(list(BACKENDS)), help="Take its bundled model, or the file of --model.")
@click.option(
    "--threads", type=int, default=1, show_default=True, help="With more, cutting a .tflite costs more than it shows."
)
@click.option(
    "--seconds",
    type=float,
    default=10.0,
    show_default=True,
    help="Of running, in five processes; at most 500 rounds in each.",
)
@click.option(
    "--by",
    type=click.Choice(["operator", "kind"]),
    default="operator",
    show_default=True,
    help="What has a line in the table; the file has both.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE.json",
    help="Write everything, raw values included.",
)
@click.option("--json", "as_json", is_flag=True, help="The same on standard output.")
def profile(by: str, output: Path | None, as_json: bool, **options: Any) -> None:
    """Time per operator, and what runs on XNNPACK and what does not.

    An .onnx is watched by onnxruntime's own profiler. A .tflite is cut into its operators, which run one after another; how
    their sum compares with the whole is told. The masks are checked first.
    """
    with one_line_refusals():
        if output is not None:
            check_output(output)
        result = _measured(ProfileJob(**options), as_json)
        _show(result, by, as_json)  # before the file is written: a full disk must not take it away
        if output is not None:
            write_results(output, result.to_json())
    if result.interrupted:
        sys.exit(INTERRUPTED)


def _measured(job: ProfileJob, as_json: bool) -> ProfileResult:
    try:
        return with_progress("processes", lambda advance: run_profile(job, advance), as_json=as_json, draws_alone=False)
    except KeyboardInterrupt:
        click.echo("segbench: interrupted; nothing had been measured", err=True)
        sys.exit(INTERRUPTED)


def _show(result: ProfileResult, by: str, as_json: bool) -> None:
    if result.interrupted:
        count = result.processes
        done = f"{count} process{'' if count == 1 else 'es'}"
        click.echo(f"segbench: interrupted; what follows was measured until then, in {done}", err=True)
    if as_json:
        print_json(result.to_json())
        return
    for text in result.warnings:
        click.echo(f"segbench: {text}", err=True)
    print_profile(result, by)
