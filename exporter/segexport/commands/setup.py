"""`segexport setup`: the one command that installs something."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from segexport.console import Console, print_table
from segexport.convert.setup.known import ENVIRONMENTS
from segexport.convert.setup.make import NoPythonError, SetupOutcome, make_converter
from segexport.convert.setup.place import VARIABLE
from segexport.errors import SetupError


@click.command(
    epilog=f"They lie in share/segedge/converters of the virtual environment, else in your data folder (~/.local/share); "
    f"{VARIABLE}=DIR chooses another folder, then and whenever they are used."
)
@click.argument("names", nargs=-1, metavar="[NAME]...", type=click.Choice(list(ENVIRONMENTS)))
@click.option(
    "--python",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Make them with this interpreter. Default: one that fits.",
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def setup(names: tuple[str, ...], python: Path | None, as_json: bool) -> None:
    """Install converters (direct, tf, litert-torch), each into an environment of its own, exactly as its lock says.

    Without a NAME: every one for which a Python is at hand. What is there already is left alone. pip fetches the files, from
    where your pip takes them.

    \b
    Examples:
      segexport setup
      segexport setup direct
      segexport setup tf --python /usr/bin/python3.12
    """
    console = Console(quiet=as_json)
    rows, failed = [], []
    for name in names or ENVIRONMENTS:
        try:
            with console.step(name):
                found = make_converter(ENVIRONMENTS[name], python=python, say=console.say, note=console.note)
        except SetupError as error:
            rows.append({"name": name, "state": "left out", "why": str(error)})
            if names or not isinstance(error, NoPythonError):
                failed.append(str(error))
            else:
                console.note(f"left out: {error}")
        else:
            rows.append(_row(name, found))
    _show(rows, as_json)
    if failed:
        raise SetupError("; ".join(failed))


def _row(name: str, found: SetupOutcome) -> dict[str, Any]:
    return {
        "name": name,
        "state": "made" if found.new else "is there",
        "python": found.made.python,
        "versions": found.made.versions,
        "size_bytes": found.made.size_bytes,
        "seconds": round(found.seconds, 1),
        "folder": str(found.folder),
    }


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    cells = [
        (
            row["name"],
            row["state"],
            row["python"],
            f"{row['size_bytes'] / 1e6:.0f}",
            f"{row['seconds']:.1f}",
            ", ".join(f"{name} {version}" for name, version in row["versions"].items()),
        )
        for row in rows
        if "folder" in row
    ]
    if cells:
        print_table(None, ("converter", " ", "Python", "MB", "s", " "), cells)
