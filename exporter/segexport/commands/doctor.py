"""`segexport doctor`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from segexport.commands.options import checked
from segexport.console import print_diagnosis
from segexport.errors import CalibrationError
from segexport.options import parse_size
from segexport.pictures.calibration import MOST, collect_pictures


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--size", callback=checked(parse_size), metavar="N|HxW", help="The network's input size.")
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
