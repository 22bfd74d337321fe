"""`segexport verify` and `segexport report`: an export that is there already; the runtime is enough."""

from __future__ import annotations

import json
from pathlib import Path

import click

from segexport.commands.shown import show
from segexport.console import Console, print_self_test


@click.command()
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
    from segexport.compare.verify import require_all_within, verify_folder

    console = Console(quiet=as_json)
    with console.step("comparison with the stored masks"):
        found = verify_folder(folder, console.say)
    for sentence in found.skipped:
        console.warn(f"left out: {sentence}")
    show(found.rows, found.to_json(), as_json, f"{folder} against PyTorch's stored masks")
    require_all_within(found.rows)


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def report(folder: Path) -> None:
    """Make DIR/report.html again from the report, the stored masks and the files in DIR; needs the runtime and jinja2.

    \b
    Example:  segexport report ckpt_export
    """
    from segexport.report.page import make_page

    console = Console()
    with console.step("report.html"):
        path = make_page(folder, console.say)
    click.echo(path)
