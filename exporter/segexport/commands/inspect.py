"""`segexport inspect`."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click

from segexport.commands.options import asked_options
from segexport.commands.tools import show_tools
from segexport.console import print_inspection
from segexport.process.child import find_tools


@click.command()
@click.argument("checkpoint", required=False, type=click.Path(path_type=Path))
@asked_options
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
    find_tools("torch")  # or refused, before any work is begun
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
