"""`segbench compare`."""

from __future__ import annotations

import math
from pathlib import Path

import click

from segbench.compare.match import AXES
from segbench.compare.run import ComparedResults, compare_results, slower_than
from segbench.compare.table import print_comparison, times
from segbench.console import one_line_refusals, print_json, require_rich
from segbench.errors import ComparisonError
from segbench.results.latency import read_latency

EPILOG = """
Examples:

\b
  segbench compare before.json after.json
  segbench compare before.json after.json --fail-above 5%
  segbench compare both.json --axis model
"""


def _share(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """`5%` or `0.05` → 0.05."""
    if text is None:
        return None
    try:
        share = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise click.BadParameter(f"got {text[:40]!r}, expected 0% to 100%, like 5%")
    return share


@click.command(epilog=EPILOG)
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path), required=False)
@click.option("--axis", "axes", type=click.Choice(AXES), multiple=True, help="What may differ; may be repeated.")
@click.option("--fail-above", callback=_share, metavar="5%", help="End with 1 where B is slower by more than this.")
@click.option("--json", "as_json", is_flag=True, help="The comparison as JSON, on standard output.")
def compare(a: Path, b: Path | None, axes: tuple[str, ...], fail_above: float | None, as_json: bool) -> None:
    """Say whether results B are faster or slower than results A, stage by stage.

    The verdict is that of the whole, frame to composite. Without B, configurations of A are compared with one another: --axis
    says along what. Those were measured in turn, which is the best way to compare.
    """
    if b is None and not axes:
        raise click.UsageError("give a second file, or --axis to compare the configurations of one file")
    with one_line_refusals():
        if not as_json:
            require_rich()
        result = _compared(a, b, axes)
        if as_json:
            print_json(result.to_json())
        else:
            for text in result.warnings:
                click.echo(f"segbench: {text}", err=True)
            print_comparison(result)
        if fail_above is not None:
            _fail_above(result, fail_above)


def _compared(a: Path, b: Path | None, axes: tuple[str, ...]) -> ComparedResults:
    first = read_latency(a)
    second = first if b is None else read_latency(b)
    return compare_results(first, second, axes=axes, names=(str(a), str(b or a)))


def _fail_above(result: ComparedResults, share: float) -> None:
    """A gate that cannot tell stays shut."""
    for one in result.comparisons:
        if one.verdict in ("too few processes to tell", "the machine changed"):
            raise ComparisonError(
                f"--fail-above: {one.b}: {one.verdict}, so nobody knows; measure again, with more processes"
            )
    slower = slower_than(result, share)
    if slower:
        worst = max(slower, key=lambda one: one.whole.low or 0.0)
        said = f"{worst.b}: takes {times(worst.whole)} the time of {worst.a}"
        raise ComparisonError(
            f"{said}, more than the {share:.1%} of --fail-above even at the lower end of the interval"
        )
