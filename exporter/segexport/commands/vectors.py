"""`segexport vectors` and `segexport check-port`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from segexport.console import Console


@click.command()
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


@click.command("check-port")
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
