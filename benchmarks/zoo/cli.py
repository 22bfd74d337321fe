"""The command."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

import click

from segbench.console import INTERRUPTED, no_progress, print_json, progress, require_rich
from segbench.errors import SegBenchError
from segbench.results.file import write_results
from segbench.results.output_file import check_output
from segruntime import SegRuntimeError
from zoo.errors import ZooError
from zoo.networks import NETWORKS
from zoo.results import WAYS
from zoo.run import is_whole, run_zoo
from zoo.table import networks_table, notes, saved_table

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "zoo.json"
FILE = click.Path(path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, metavar="[NETWORK]...")
@click.option("--converter", "ways", multiple=True, type=click.Choice(WAYS), help="May be repeated; default: all.")
@click.option("--again", is_flag=True, help="Also what an earlier run has done.")
@click.option("-o", "--output", type=FILE, help="[default: benchmarks/results/zoo.json, once all is done]")
@click.option("--json", "as_json", is_flag=True, help="The result on standard output instead of tables.")
def main(names: tuple[str, ...], ways: tuple[str, ...], again: bool, output: Path | None, as_json: bool) -> None:
    """Networks of segmentation_models_pytorch and transformers through every converter, each file compared.

    The first run makes them, a minute each. Whatever is done is kept: after Ctrl-C, or with other words, the command goes on
    where it was.

    \b
    Examples:
      python benchmarks/zoo
      python benchmarks/zoo segformer_b0 --converter saved --again
    """
    try:
        _check(names, output, as_json)
        with nullcontext(no_progress) if as_json else progress("zoo") as advance:
            result = run_zoo(names or tuple(NETWORKS), ways or WAYS, again, _say, advance)
        if as_json:
            print_json(result.to_json())
        else:
            click.echo(f"{networks_table(result)}\n\n{saved_table(result)}\n\n{notes(result)}")
        target = output or (RESULTS if is_whole(result) else None)
        if target is not None:
            write_results(target, result.to_json())
            _say(f"written: {target.name}")
    except (SegBenchError, SegRuntimeError) as error:
        _say(" ".join(str(error).split()))
        sys.exit(1)
    if result.interrupted:
        sys.exit(INTERRUPTED)


def _check(names: tuple[str, ...], output: Path | None, as_json: bool) -> None:
    unknown = [name for name in names if name not in NETWORKS]
    if unknown:
        raise ZooError(f"{unknown[0]}: no such network, expected some of {', '.join(NETWORKS)}")
    if not as_json:
        require_rich()
    if output is not None:
        check_output(output)


def _say(text: str) -> None:
    click.echo(f"zoo: {text}", err=True)
