"""The command `segbench`."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click

import segruntime
from segbench.commands.accuracy import accuracy
from segbench.commands.compare import compare
from segbench.commands.export import export
from segbench.commands.latency import LatencyOptions, measure_latency
from segbench.commands.plot import plot as plot_command
from segbench.commands.profile import profile
from segbench.commands.report import report
from segbench.commands.sustained import sustained
from segbench.commands.video import video
from segbench.console import one_line_refusals
from segbench.latency.effort import MLPERF_MASK_IOU, NORMAL, effort_of
from segbench.process.job import Effort
from segruntime.backends import BACKENDS
from segruntime.refine import PRESETS

EPILOG = """
Examples:

\b
  segbench --quick
  segbench --model int8.tflite --model float32.onnx --threads 1,2,4 -o results.json
  segbench --backend tflite --backend onnx --size 640x480,1280x720 --preset none --preset balanced
  segbench --input talk.mp4 --preset balanced --rate 30
  segbench compare before.json after.json
  segbench report results.json -o report.html
  segbench profile --model int8.tflite
  segbench accuracy --images portraits/images --masks portraits/masks
  segbench video portrait.mp4 --model int8.tflite --reference float32.tflite
"""


@click.group(epilog=EPILOG, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--backend",
    "backends",
    type=click.Choice(list(BACKENDS)),
    multiple=True,
    help="Measure its bundled model, or the file of --model. May be repeated.",
)
@click.option(
    "--model",
    "models",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A .tflite or .onnx file; default: the bundled one. May be repeated.",
)
@click.option("--threads", metavar="N[,N…]", help="Default: the cores of this machine, at most 4.")
@click.option("--size", "sizes", metavar="WxH[,WxH…]", help="Size of the frame; default: 1280x720, or that of --input.")
@click.option(
    "--preset",
    "presets",
    type=click.Choice(["none", *PRESETS]),
    multiple=True,
    help="Refine the masks as segrun does; default: none. May be repeated.",
)
@click.option(
    "--input", "input_", type=click.Path(path_type=Path), help="A picture or a video of a person; default: a drawn one."
)
@click.option(
    "--rate", type=float, metavar="FPS", help="A frame every 1/FPS seconds, as a camera; late ones are counted."
)
@click.option("--runs", type=int, help=f"Measure at least so many rounds in each process,  [default: {NORMAL.runs}]")
@click.option("--seconds", type=float, help=f"and at least so many seconds.  [default: {NORMAL.seconds}]")
@click.option(
    "--warmup",
    "--warmup-runs",
    "warmup_runs",
    type=int,
    help=f"At least so many rounds before that, thrown away,  [default: {NORMAL.warmup_runs}]",
)
@click.option("--warmup-seconds", type=float, help=f"and so many seconds.  [default: {NORMAL.warmup_seconds}]")
@click.option("--processes", type=int, help=f"Fresh processes for each configuration.  [default: {NORMAL.processes}]")
@click.option("--seed", type=int, help="Of the order of the processes; default: another one each time.")
@click.option("--quick", is_flag=True, help="A first look, in seconds.")
@click.option(
    "--mlperf", is_flag=True, help="As MLPerf Mobile asks: 1024 rounds, 60 s, one process; only a proven file."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE.json",
    help="Write everything, raw values included.",
)
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the distributions: FILE.png, .svg or .pdf.")
@click.option("--json", "as_json", is_flag=True, help="The same on standard output.")
@click.version_option(segruntime.__version__)
@click.pass_context
def main(context: click.Context, /, output: Path | None, plot: Path | None, as_json: bool, **options: Any) -> None:
    """Measure model files on this machine: each stage, frame to alpha, composite, and the whole.

    Each model with each number of threads, size and preset. The masks are checked first; then each configuration is
    measured in fresh processes, in random order. The commands below measure the masks instead.
    """
    if context.invoked_subcommand is not None:
        _refuse_options_before(context, context.invoked_subcommand)
        return
    with one_line_refusals():
        sys.exit(measure_latency(_latency_options(**options), output, as_json, plot))


def _latency_options(*, quick: bool, mlperf: bool, **options: Any) -> LatencyOptions:
    """What is not given of the numbers of `Effort` is that of the kind of run."""
    given = {one.name: options.pop(one.name) for one in fields(Effort)}
    effort = replace(
        effort_of(quick=quick, mlperf=mlperf), **{name: value for name, value in given.items() if value is not None}
    )
    return LatencyOptions(effort=effort, least_mask_iou=MLPERF_MASK_IOU if mlperf else None, **options)


main.add_command(accuracy)
main.add_command(compare)
main.add_command(export)
main.add_command(plot_command)
main.add_command(report)
main.add_command(profile)
main.add_command(sustained)
main.add_command(video)


def _refuse_options_before(context: click.Context, command: str) -> None:
    default = click.core.ParameterSource.DEFAULT
    given = [
        p.opts[0] for p in context.command.params if context.get_parameter_source(p.name or "") not in (default, None)
    ]
    if given:
        raise click.UsageError(f"{given[0]} stands before {command}, where it has no effect; give it after {command}")
