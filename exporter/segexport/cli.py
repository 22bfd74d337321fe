"""The command line: `segexport setup | inspect | doctor | onnx | tflite | verify | report | vectors | check-port`."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TypeVar

import click

from segexport.commands.setup import setup
from segexport.commands.tools import show_tools
from segexport.compare.rows import FileRow
from segexport.console import Console, print_diagnosis, print_file_table, print_inspection, print_self_test
from segexport.convert.converters import AUTO, CONVERTERS
from segexport.errors import CalibrationError, MissingExtraError, SegExportError
from segexport.options import (
    LAYOUTS,
    Options,
    choose_precisions,
    default_output,
    parse_arguments,
    parse_head,
    parse_size,
    parse_triple,
)
from segexport.pictures.calibration import MOST, collect_pictures
from segexport.precisions import PRECISIONS
from segexport.presets import COLORS, GOLDEN, HEADS, OUTPUTS, PREPROCESSING, SCALES
from segruntime.errors import SegRuntimeError
from segruntime.processor import find_processor, in_words

_INTERRUPTED = "interrupted; nothing unfinished was left behind"
_stopped_by: list[int] = []  # signals; no Event, whose lock a second signal would find taken
F = TypeVar("F", bound=Callable[..., Any])


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="segedge")
def cli() -> None:
    """A trained PyTorch segmentation checkpoint → ONNX and TFLite files that give the same mask.

    \b
    Examples:
      segexport setup
      segexport inspect ckpt.pth
      segexport tflite  ckpt.pth --calibration pictures/
      segexport doctor  pictures/
      segexport verify  ckpt_export
      segexport report  ckpt_export
      segexport vectors ckpt_export
    """


def main() -> None:
    """The entry point: every refusal is one line on standard error and exit code 1; wrong usage is 2."""
    # read when PyTorch is imported: its threads would turn in circles while they wait, on the cores of converter and quantizer
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    signal.signal(signal.SIGTERM, _end)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not ignored, as in the background of a shell
        signal.signal(signal.SIGINT, _end)
    try:
        cli(standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        _fail(_INTERRUPTED, 130)
    except Exception as error:  # noqa: BLE001 - refused or raised again
        # a library that the interrupt went through may have made another error of it
        if _stopped_by:
            _fail(_INTERRUPTED, 130)
        _refuse(error)


def _refuse(error: Exception) -> NoReturn:
    if isinstance(error, click.ClickException):
        _fail(error.message, 1)
    if isinstance(error, (SegExportError, SegRuntimeError)):
        _fail(str(error), 1)
    raise error


def _end(number: int, _frame: FrameType | None) -> None:
    _stopped_by.append(number)
    raise KeyboardInterrupt


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"segexport: {message}", err=True)
    sys.exit(code)


def _checked(parse: Callable[[Any], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        try:
            return None if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error), context, parameter) from error

    return callback


def _network_options() -> list[Callable[[F], F]]:
    """What `networks.network.Asked` holds."""
    arguments = _checked(parse_arguments)
    return [
        click.option("--arch", metavar="NAME|package.module:factory", help="A known network, or your own class."),
        click.option(
            "--arch-args",
            multiple=True,
            callback=arguments,
            metavar="NAME=VALUE",
            help="For the factory of --arch: widths=8,16. May be repeated.",
        ),
        click.option(
            "--set",
            "forward_args",
            multiple=True,
            callback=arguments,
            metavar="NAME=VALUE",
            help="For its forward, next to the picture. May be repeated.",
        ),
        click.option("--output-index", metavar="N|NAME", help="Of several outputs the one that the mask is made of."),
        click.option(
            "--layout",
            type=click.Choice(LAYOUTS),
            default=LAYOUTS[0],
            help="What its forward takes.",
            show_default=True,
        ),
        click.option(
            "--size", callback=_checked(parse_size), metavar="N|HxW", help="Input size; default: the network's."
        ),
    ]


def _export_options(command: F) -> F:
    presets = ", ".join(f"{name}: {preset.summary}" for name, preset in PREPROCESSING.items())
    for option in reversed(
        [
            click.argument("checkpoint", type=click.Path(path_type=Path)),
            *_network_options(),
            click.option(
                "--preprocess",
                type=click.Choice(list(PREPROCESSING)),
                help=f"How training prepared its pictures. {presets}. Default: imagenet, and it says so.",
            ),
            click.option("--mean", callback=_checked(parse_triple), help="One or three numbers."),
            click.option("--std", callback=_checked(parse_triple), help="One or three numbers."),
            click.option(
                "--scale",
                type=click.Choice(SCALES),
                help="Whether --mean and --std are for pictures in 0..1 or 0..255. Default: as they look, and it says so.",
            ),
            click.option(
                "--color",
                type=click.Choice(COLORS),
                help="The order the network was trained on; default: the network's, or rgb.",
            ),
            click.option("--person", type=int, metavar="INDEX", help="The person's channel, where there are several."),
            click.option(
                "--head",
                callback=_checked(parse_head),
                default=f"{HEADS[0]},{OUTPUTS[0]}",
                metavar="LIST",
                help=f"How the network ends, of {', '.join(HEADS)} (none: in a probability), and what the files give, of "
                f"{', '.join(OUTPUTS)} (background and person).",
            ),
            click.option("--output", type=click.Path(path_type=Path), metavar="DIR", help="Default: CKPT_export."),
            click.option("--overwrite", is_flag=True, help="Replace files of the same names."),
            click.option(
                "--allow-inaccurate", is_flag=True, help="Keep files over their bound; their contract says so."
            ),
            click.option(
                "--calibration",
                type=click.Path(path_type=Path),
                metavar="DIR",
                help="Pictures of people: half calibrates int8, half is compared.",
            ),
            click.option(
                "--pictures", type=click.IntRange(min=2), default=MOST, help="Take at most so many.", show_default=True
            ),
            click.option(
                "--golden",
                type=click.Choice(GOLDEN),
                default="drawn",
                help="Pictures inside each file for `verify FILE`; pictures: some of yours. Default: drawn ones.",
            ),
            click.option("--timeout", type=click.FloatRange(min=1), default=1800, help="Seconds for each converter."),
            click.option("--json", "as_json", is_flag=True, help="The report on standard output, for machines."),
        ]
    ):
        command = option(command)
    return command


def _asked_options(command: F) -> F:
    for option in reversed(_network_options()):
        command = option(command)
    return command


@cli.command()
@_export_options
def onnx(**chosen: Any) -> None:
    """Write CHECKPOINT as ONNX, compared with PyTorch.

    \b
    Example:  segexport onnx ckpt.pth --preprocess unit --size 256
    """
    _export(chosen, ())


@cli.command()
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
@_export_options
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
    _require_torch()
    from segexport.pipeline import export
    from segexport.report.outcome import interrupted, require_complete

    try:
        with redirect_stdout(sys.stderr):  # a user's own class may print
            body, rows = export(options, console)
    except SegExportError:
        raise
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    _show(
        rows, body, as_json, f"{options.checkpoint.name} against {body['compared_with']} on {_counted(rows)} pictures"
    )
    console.note(f"in {options.output}: {', '.join(row.name for row in rows if row.kept) or 'nothing'}")
    require_complete(rows, body)
    if interrupted(body):
        _fail(f"interrupted; the best file so far was kept ({body['budget']['verdict']})", 130)


def _require_torch() -> None:
    if find_spec("torch") is None:
        raise MissingExtraError("torch", "export")


def _counted(rows: list[FileRow]) -> str:
    counts = sorted({row.pictures for row in rows})
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


cli.add_command(setup)


@cli.command()
@click.argument("checkpoint", required=False, type=click.Path(path_type=Path))
@_asked_options
@click.option("--tools", is_flag=True, help="Instead: the libraries and converters that are here, with their versions.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def inspect(checkpoint: Path | None, tools: bool, as_json: bool, **chosen: Any) -> None:
    """Say what CHECKPOINT holds and which network that is; nothing of it is run.

    \b
    Examples:
      segexport inspect ckpt.pth --json
      segexport inspect --tools
    """
    if tools == (checkpoint is not None):
        raise click.UsageError("give either CHECKPOINT or --tools")
    if checkpoint is None:
        show_tools(as_json)
        return
    _require_torch()
    from segexport.errors import ArchitectureError
    from segexport.networks.inspection import inspect as look
    from segexport.networks.network import Asked

    chosen["output"] = chosen.pop("output_index")
    with redirect_stdout(sys.stderr):
        found = look(checkpoint, Asked(**chosen))
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        print_inspection(found)
    if found["problem"]:
        raise ArchitectureError(found["problem"])


@cli.command()
@click.argument("path", metavar="DIR|FILE", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def verify(path: Path, as_json: bool) -> None:
    """Does it still give the same mask? Needs the runtime only, no torch.

    Of an export's DIR every file is compared with the masks that the export stored next to it; a single FILE is compared with
    the golden pictures that it carries inside.

    \b
    Examples:
      segexport verify ckpt_export
      segexport verify ckpt_int8.tflite
    """
    if path.is_file():
        _verify_file(path, as_json)
    else:
        _verify_folder(path, as_json)


def _verify_file(path: Path, as_json: bool) -> None:
    from segexport.compare.verify import require_same, verify_file

    result = verify_file(path)
    if as_json:
        click.echo(json.dumps({"file": str(path), **result.to_json()}, indent=1))
    else:
        print_self_test(result, title=f"{path} on the golden pictures inside")
    require_same(path, result)
    if not as_json:
        click.echo(str(result))


def _verify_folder(folder: Path, as_json: bool) -> None:
    from segexport.compare.verify import int8_speed_here, require_all_within
    from segexport.compare.verify import verify as again

    console = Console(quiet=as_json)
    with console.step("comparison with the stored masks"):
        rows, skipped = again(folder, console.say)
        speed = int8_speed_here(folder, rows)
    for sentence in skipped:
        console.warn(f"left out: {sentence}")
    body = {
        "files": [_as_dict(row) for row in rows],
        "skipped": skipped,
        "processor": find_processor().to_json(),
        "int8_speed": None if speed is None else speed.to_json(),
    }
    _show(rows, body, as_json, f"{folder} against PyTorch's stored masks")
    require_all_within(rows)


@cli.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def report(folder: Path) -> None:
    """Make DIR/report.html again from the report, the stored masks and the files in DIR; needs the runtime only.

    \b
    Example:  segexport report ckpt_export
    """
    from segexport.report.page import make_page

    console = Console()
    with console.step("report.html"):
        path = make_page(folder, console.say)
    click.echo(path)


@cli.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--size", callback=_checked(parse_size), metavar="N|HxW", help="The network's input size.")
@click.option(
    "--pictures", type=click.IntRange(min=2), default=MOST, help="Look at most at so many.", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def doctor(folder: Path, size: tuple[int, int] | None, pictures: int, as_json: bool) -> None:
    """Say what is wrong with the calibration pictures in DIR, before any conversion is paid for.

    \b
    Example:  segexport doctor pictures/ --size 256
    """
    found = collect_pictures(folder, most=pictures, size=size).diagnosis
    if found is None:
        raise CalibrationError(f"{folder}: nothing was looked at; give a folder of pictures")
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=1))
    else:
        print_diagnosis(found)


@cli.command()
@click.argument("path", metavar="DIR|FILE", type=click.Path(path_type=Path))
@click.option("--images", type=click.Path(path_type=Path), metavar="DIR", help="Pictures for it. Default: drawn ones.")
@click.option("--count", type=click.IntRange(1, 50), default=4, help="Single frames of each model.", show_default=True)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="DIR", help="Default: DIR/vectors, or NAME_vectors."
)
@click.option("--overwrite", is_flag=True, help="Replace a folder of vectors.")
@click.option("--json", "as_json", is_flag=True, help="The index on standard output, for machines.")
def vectors(path: Path, output: Path | None, as_json: bool, **chosen: Any) -> None:
    """Write frames with their input, output and alpha, for a port of the runtime to check itself. Needs no torch.

    \b
    Examples:
      segexport vectors ckpt_export
      segexport vectors ckpt_int8.tflite --images pictures/ -o vectors
    """
    from segexport.vectors import write_vectors

    console = Console(quiet=as_json)
    with console.step("vectors"):
        target, index, skipped = write_vectors(path, output, say=console.say, **chosen)
    for sentence in skipped:
        console.warn(f"left out: {sentence}")
    click.echo(json.dumps(index, indent=1) if as_json else target)


@cli.command("check-port")
@click.argument("vectors", metavar="VECTORS", type=click.Path(path_type=Path))
@click.argument("port", metavar="PORT", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Every array, for machines.")
def check_port(vectors: Path, port: Path, as_json: bool) -> None:
    """Compare what a port wrote into PORT, under the same names, with VECTORS; needs no torch.

    \b
    Example:  segexport check-port ckpt_export/vectors my_port_output
    """
    from segexport.vectors import check_port as check
    from segexport.vectors.verdict import print_port, require_near

    rows = check(vectors, port)
    if as_json:
        click.echo(json.dumps([row.to_json() for row in rows], indent=1))
    else:
        print_port(rows, title=f"{port} against {vectors}")
    require_near(rows)


def _as_dict(row: FileRow) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(row)


def _show(rows: list[FileRow], body: dict[str, Any], as_json: bool, title: str) -> None:
    if as_json:
        click.echo(json.dumps(body, indent=1))
        return
    print_file_table(rows, title=f"{title}; times: {in_words(**body['processor'])}")
    if body["int8_speed"] is not None:
        click.echo(body["int8_speed"]["text"])


if __name__ == "__main__":
    main()
