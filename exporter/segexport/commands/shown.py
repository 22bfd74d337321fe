"""What commands print, and how they end."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from typing import Any, NoReturn

import click

from segexport.compare.rows import FileRow
from segexport.console import print_file_table
from segexport.errors import MissingExtraError
from segruntime.processor import in_words


def fail(message: str, code: int) -> NoReturn:
    """One line on standard error."""
    click.echo(f"segexport: {message}", err=True)
    sys.exit(code)


def require_torch() -> None:
    """Before any work is begun that needs it."""
    if find_spec("torch") is None:
        raise MissingExtraError("torch", "export")


def as_dict(row: FileRow) -> dict[str, Any]:
    """For JSON."""
    from dataclasses import asdict

    return asdict(row)


def show(rows: list[FileRow], body: dict[str, Any], as_json: bool, title: str) -> None:
    """The table of files, or the whole body for machines."""
    if as_json:
        click.echo(json.dumps(body, indent=1))
        return
    print_file_table(rows, title=f"{title}; times: {in_words(**body['processor'])}")
    if body["int8_speed"] is not None:
        click.echo(body["int8_speed"]["text"])
