"""`segbench accuracy`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from segbench.accuracy.run import AccuracyJob, run_accuracy
from segbench.accuracy.table import print_accuracy
from segbench.console import one_line_refusals, print_json, with_progress
from segbench.results.file import write_results
from segbench.results.output_file import check_output
from segruntime.backends import BACKENDS
from segruntime.refine import PRESETS

EPILOG = """
Examples:

\b
  segbench accuracy --images portraits/images --masks portraits/masks
  segbench accuracy --images portraits/images --masks portraits/masks --model int8.tflite -o int8.accuracy.json
"""


@click.command(epilog=EPILOG)
@click.option("--images", type=click.Path(path_type=Path), required=True, help="A folder of pictures.")
@click.option(
    "--masks", type=click.Path(path_type=Path), required=True, help="Their masks: same names, white is person."
)
@click.option("--model", type=click.Path(path_type=Path), help="A .tflite or .onnx file; default: the bundled one.")
@click.option("--backend", type=click.Choice(list(BACKENDS)), help="Measure its bundled model, or the file of --model.")
@click.option("--preset", type=click.Choice(list(PRESETS)), help="Refine the mask as segrun does; default: not at all.")
@click.option("--threads", type=int, help="Default: the cores of this machine, at most 4.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write everything as FILE.json.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON, each picture included, on standard output.")
def accuracy(output: Path | None, as_json: bool, **options: Any) -> None:
    """Measure how exact a model's masks are, against hand-made ones.

    Mean IoU, boundary F-score and mean absolute error, at the full size of each picture.
    """
    with one_line_refusals():
        if output is not None:
            check_output(output)
        job = AccuracyJob(**options)
        result = with_progress("pictures", lambda advance: run_accuracy(job, advance), as_json=as_json)
        if as_json:  # shown before anything is written: a full disk must not take it away
            print_json(result.to_json())
        else:
            print_accuracy(result)
        if output is not None:
            write_results(output, result.to_json())
