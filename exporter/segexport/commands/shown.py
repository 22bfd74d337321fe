"""What commands print, and how they end."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click

from segexport.compare.rows import FileRow
from segexport.console import print_file_table
from segruntime.processor import in_words


def fail(message: str, code: int) -> NoReturn:
    """One line on standard error."""
    click.echo(f"segexport: {message}", err=True)
    sys.exit(code)


def show(rows: Sequence[FileRow], body: Mapping[str, Any], as_json: bool, title: str) -> None:
    """The table of files, or the whole body for machines."""
    if as_json:
        click.echo(json.dumps(body, indent=1))
        return
    print_file_table(rows, title=f"{title}; times: {in_words(**body['processor'])}")
    if body["int8_speed"] is not None:
        click.echo(body["int8_speed"]["text"])
