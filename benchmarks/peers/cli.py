"""The two commands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from peers.errors import PeerError
from peers.lineup import PEERS, choose
from peers.results import Effort, ExportResult, RunResult
from peers.run import RunJob, run_peers
from peers.tables import print_result
from segbench.console import INTERRUPTED, no_progress, one_line_refusals, print_json, progress, require_rich
from segbench.results.file import write_results
from segbench.results.output_file import check_output

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
FILE = click.Path(path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The same clip and the same model through segruntime and through others; the export next to others.

    What is no dependency of ours is installed by pip into benchmarks/peers/.venv, once; converters by `segexport setup`.
    """


@main.command()
@click.option("--clip", type=FILE, required=True, help="A video of a person.")
@click.option(
    "--frames", type=click.IntRange(1, 1000), default=64, show_default=True, help="So many, spread over the clip."
)
@click.option("--threads", type=click.IntRange(1, 256), default=2, show_default=True, help="For all that can be told.")
@click.option(
    "--only", multiple=True, metavar="NAME", help=f"May be repeated: {', '.join(peer.name for peer in PEERS)}."
)
@click.option("--seconds", type=click.FloatRange(0.1), default=Effort().seconds, show_default=True, help="Of each row.")
@click.option(
    "--processes",
    type=click.IntRange(1, 100),
    default=Effort().processes,
    show_default=True,
    help="Fresh ones of each peer.",
)
@click.option(
    "-o",
    "--output",
    type=FILE,
    help="[default: benchmarks/results/peers.json; with --only, which leaves rows out, none]",
)
@click.option("--json", "as_json", is_flag=True, help="The result on standard output as well, instead of a table.")
def run(only: tuple[str, ...], output: Path | None, as_json: bool, threads: int, **options: Any) -> None:
    """Frame → mask and frame → composite: 1280x720, p50, p90, and how many times as long as segruntime."""
    target = output or (None if only else RESULTS / "peers.json")
    with one_line_refusals("peers"):
        effort = Effort(processes=options.pop("processes"), seconds=options.pop("seconds"))
        job = RunJob(peers=choose(only, threads), threads=threads, effort=effort, **options)
        _prepare(target, as_json)
        with nullcontext(no_progress) if as_json else progress("rounds", draws_alone=False) as advance:
            result = run_peers(job, _say, advance)
        if not any(peer.rows for peer in result.peers):
            reasons = [f"{peer.name}: {peer.failure}" for peer in result.peers if peer.failure]
            raise PeerError("; ".join(reasons) or "interrupted before anything was measured")
        _finish(result, target, as_json)


@main.command()
@click.option(
    "--network",
    "networks",
    multiple=True,
    type=click.Choice(["demo", "unet31m"]),
    help="May be repeated; default: both.",
)
@click.option(
    "--only", multiple=True, type=click.Choice(["onnx2tf", "litert-torch"]), help="Next to ours; default: both."
)
@click.option("--threads", type=click.IntRange(1, 256), default=2, show_default=True, help="Of the timed invokes.")
@click.option(
    "--seconds", type=click.FloatRange(0.1), default=6.0, show_default=True, help="Of each file's timed invokes."
)
@click.option(
    "-o",
    "--output",
    type=FILE,
    help="[default: benchmarks/results/peers_export.json; with --only or --network, which leave rows out, none]",
)
@click.option("--json", "as_json", is_flag=True, help="The result on standard output as well, instead of a table.")
def export(
    networks: tuple[str, ...], only: tuple[str, ...], threads: int, seconds: float, output: Path | None, as_json: bool
) -> None:
    """Network → float32 .tflite: ours, the plain `onnx2tf -i` and litert-torch.

    From the environments that `segexport setup` makes; about 10 minutes.
    """
    target = output or (None if only or networks else RESULTS / "peers_export.json")
    with one_line_refusals("peers"):
        _prepare(target, as_json)
        run_export = _exporter()
        result = run_export(networks or ("demo", "unet31m"), only, threads, seconds, _say)
        if not any(way.values_s for network in result.networks for way in network.ways):
            raise PeerError(
                "nothing could be converted" if not result.interrupted else "interrupted before anything was measured"
            )
        _finish(result, target, as_json)


def _exporter() -> Callable[..., ExportResult]:
    """Loading it loads torch, which takes seconds and may not be there."""
    try:
        from peers.export_run import run_export
    except ImportError as error:
        raise PeerError(f'export: {error}; pip install -c constraints.txt ".[export,tflite,bench]"') from error
    return run_export


def _prepare(output: Path | None, as_json: bool) -> None:
    """What would take the result away at the end is found now."""
    if not as_json:
        require_rich()
    if output is not None:
        if output.parent == RESULTS:
            RESULTS.mkdir(exist_ok=True)
        check_output(output)


def _finish(result: RunResult | ExportResult, output: Path | None, as_json: bool) -> None:
    """Show, then write, so that a full disk does not take it away; ends with 130 after Ctrl-C."""
    if as_json:
        print_json(result.to_json())
    else:
        print_result(result)
    if output is not None:
        write_results(output, result.to_json())
        _say(f"written: {output.name}")
    if result.interrupted:
        sys.exit(INTERRUPTED)


def _say(text: str) -> None:
    click.echo(f"peers: {text}", err=True)
