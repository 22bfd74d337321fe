"""The command `segbench`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

import segruntime
from segbench.accuracy_command import accuracy
from segbench.compare_command import compare
from segbench.job import Job, parse_size
from segbench.latency import run_latency
from segbench.refusal import one_line_refusals
from segbench.table import print_table, require_rich, working
from segbench.video_command import video
from segruntime.backends import BACKENDS

EPILOG = """
Examples:

\b
  segbench --backend tflite
  segbench --model portrait_float32.tflite --threads 2 --size 640x480
  segbench --backend onnx --input me.jpg --json > onnx.json
  segbench accuracy --images portraits/images --masks portraits/masks
  segbench video portrait.mp4 --model int8.tflite --reference float32.tflite
"""


@click.group(epilog=EPILOG, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--backend", type=click.Choice(list(BACKENDS)), help="Measure its bundled model, or the file of --model.")
@click.option("--model", type=click.Path(path_type=Path), help="A .tflite or .onnx file; default: the bundled one.")
@click.option("--threads", type=int, help="Default: the cores of this machine, at most 4.")
@click.option("--size", metavar="WxH", help="Size of the frame; default: 1280x720, or that of --input.")
@click.option(
    "--input", "picture", type=click.Path(path_type=Path), help="A picture of a person; default: a drawn one."
)
@click.option("--runs", default=100, show_default=True, help="Measure at least so many rounds,")
@click.option("--seconds", default=2.0, show_default=True, help="and at least so many seconds.")
@click.option("--warmup", default=10, show_default=True, help="Rounds before that, thrown away.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON, raw values included, on standard output.")
@click.version_option(segruntime.__version__)
@click.pass_context
def main(context: click.Context, /, as_json: bool, size: str | None, **options: Any) -> None:
    """Measure a model file on this machine: each stage, frame to alpha, and composite.

    The measurement runs in a fresh process; the mask is checked first, and the warm-up is kept apart. The commands
    below measure the masks instead.
    """
    if context.invoked_subcommand is not None:
        _refuse_options_before(context, context.invoked_subcommand)
        return
    with one_line_refusals():
        job = _job(size, options)
        if as_json:
            click.echo(json.dumps(run_latency(job), indent=1, allow_nan=False))
        else:
            _show(job)


main.add_command(accuracy)
main.add_command(compare)
main.add_command(video)


def _refuse_options_before(context: click.Context, command: str) -> None:
    default = click.core.ParameterSource.DEFAULT
    given = [
        p.opts[0] for p in context.command.params if context.get_parameter_source(p.name or "") not in (default, None)
    ]
    if given:
        raise click.UsageError(f"{given[0]} stands before {command}, where it has no effect; give it after {command}")


def _job(size: str | None, options: dict[str, Any]) -> Job:
    width, height = (None, None) if size is None else parse_size(size)
    for name in ("model", "picture"):
        options[name] = None if options[name] is None else str(options[name])
    return Job(width=width, height=height, **options)


def _show(job: Job) -> None:
    require_rich()
    with working("measuring …"):
        result = run_latency(job)
    for text in result["warnings"]:
        click.echo(f"segbench: {text}", err=True)
    print_table(result)
