"""`segbench accuracy`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from segbench.accuracy import AccuracyJob, run_accuracy
from segbench.accuracy_table import print_accuracy
from segbench.progress import progress
from segbench.refusal import one_line_refusals
from segbench.table import require_rich
from segruntime.backends import BACKENDS
from segruntime.refine import PRESETS

EPILOG = """
Example:

\b
  segbench accuracy --images portraits/images --masks portraits/masks
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
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON, each picture included, on standard output.")
def accuracy(as_json: bool, **options: Any) -> None:
    """Measure how exact a model's masks are, against hand-made ones.

    Mean IoU, boundary F-score and mean absolute error, at the full size of each picture.
    """
    with one_line_refusals():
        job = AccuracyJob(**options)
        if as_json:
            click.echo(json.dumps(run_accuracy(job), indent=1, allow_nan=False))
            return
        require_rich()
        with progress("pictures") as advance:
            result = run_accuracy(job, advance)
        print_accuracy(result)
