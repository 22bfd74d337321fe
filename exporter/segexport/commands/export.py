"""`segexport onnx` and `segexport tflite`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click

from segexport.commands.options import export_options
from segexport.commands.shown import fail, show
from segexport.compare.rows import FileRow
from segexport.console import Console
from segexport.convert.converters import AUTO, CONVERTERS
from segexport.errors import SegExportError
from segexport.options import Options, choose_precisions, default_output
from segexport.precisions import PRECISIONS
from segexport.process.child import find_tools


@click.command()
@export_options
def onnx(**chosen: Any) -> None:
    """Write CHECKPOINT as ONNX, compared with PyTorch.

    \b
    Example:  segexport onnx ckpt.pth --preprocess unit --size 256
    """
    _export(chosen, ())


@click.command()
@click.option(
    "--precision",
    metavar="LIST",
    help=f"Of {','.join(PRECISIONS)}; default: float32,float16, and int8 with --calibration.",
)
@click.option(
    "--converter",
    type=click.Choice([AUTO, *CONVERTERS]),
    default=AUTO,
    show_default=True,
    help=f"Who makes the float32 file; {AUTO}: the first whose file passes the comparison. "
    + " ".join(f"{name}: {one.summary}." for name, one in CONVERTERS.items()),
)
@click.option(
    "--max-iou-drop",
    type=click.FloatRange(min=0, max=100),
    metavar="POINTS",
    help="Accuracy budget for int8: IoU points (0-100) it may lose; what hurts stays in float.",
)
@click.option(
    "--masks",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Hand-made masks of the pictures: the budget counts against them, not against float32's masks.",
)
@click.option(
    "--recipe",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Quantize int8 as an earlier export did (its report.json or recipe.json), without searching.",
)
@export_options
def tflite(precision: str | None, **chosen: Any) -> None:
    """Write CHECKPOINT as ONNX and TFLite, each file compared with PyTorch.

    \b
    Examples:
      segexport tflite ckpt.pth --calibration pictures/ --output out
      segexport tflite ckpt.pth --calibration pictures/ --max-iou-drop 0.5
      segexport tflite ckpt.pth --calibration pictures/ --precision float32,dynamic,int8,int16x8
    """
    try:
        precisions = choose_precisions(precision, chosen["calibration"])
    except SegExportError:
        raise
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--precision") from error
    _export(chosen, precisions)


def _export(chosen: dict[str, Any], precisions: tuple[str, ...]) -> None:
    as_json, timeout, output = chosen.pop("as_json"), chosen.pop("timeout"), chosen.pop("output")
    console = Console(quiet=as_json)
    checkpoint = chosen["checkpoint"]
    chosen["head"], chosen["two_channel"] = chosen["head"]
    options = Options(output=output or default_output(checkpoint), precisions=precisions, timeout_s=timeout, **chosen)
    find_tools("torch")  # or refused, before any work is begun
    from segexport.pipeline import export

    try:
        with redirect_stdout(sys.stderr):  # a user's own class may print
            made = export(options, console)
    except SegExportError:
        raise
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    rows, body = made.rows, made.report
    show(rows, body, as_json, f"{options.checkpoint.name} against {body['compared_with']} on {_counted(rows)} pictures")
    console.note(f"in {options.output}: {', '.join(row.name for row in rows if row.kept) or 'nothing'}")
    made.require_complete()
    if made.interrupted:
        fail(f"interrupted; the best file so far was kept ({body['budget']['verdict']})", 130)


def _counted(rows: Sequence[FileRow]) -> str:
    counts = sorted({row.pictures for row in rows})
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
