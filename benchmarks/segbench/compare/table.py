"""A comparison for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from segbench.compare.run import ComparedResults, Comparison
from segbench.latency.table import LABELS
from segbench.statistics.bootstrap import MedianRatio

if TYPE_CHECKING:
    from rich.table import Table

_WIDTH = 98


def print_comparison(result: ComparedResults) -> None:
    """A table for each pair of configurations, on standard output."""
    from rich.console import Console

    console = Console(highlight=False)
    for line in headlines(result):
        console.print(line, markup=False, soft_wrap=True)
    for one in result.comparisons:
        console.print()
        for line in names(one):
            console.print(line, markup=False, soft_wrap=True)
        console.print(_table(one, result.confidence), width=_WIDTH)
        for line in conclusion(one):
            console.print(line, markup=False, soft_wrap=True)


def headlines(result: ComparedResults) -> list[str]:
    """Which files, and what is different between them next to the values."""
    lines = [f"{side}: {one.name}, {one.measured_at}" for side, one in (("A", result.a), ("B", result.b))]
    if result.a.digest == result.b.digest:
        lines = [f"{result.a.name}, {result.a.measured_at}"]
    return [*lines, *(f"different: {line}" for line in result.differences)]


def names(comparison: Comparison) -> list[str]:
    """Which configurations, and what is different between them."""
    a, b = comparison.a, comparison.b
    return [a if a == b else f"A is {a}, B is {b}", *(f"different: {line}" for line in comparison.differences)]


def conclusion(comparison: Comparison) -> list[str]:
    """The verdict of the whole, in words, and what to know about it."""
    whole, verdict = comparison.whole, comparison.verdict
    line = f"{VERDICTS[verdict]}: {times(whole)} the time, {_measured(comparison)}"
    if verdict == "the machine changed" and comparison.imports is not None:
        line += f"; importing the same code took {times(comparison.imports)} the time"
    if verdict == "no difference seen" and whole.low is not None and whole.high is not None:
        line += f"; a difference below {math.sqrt(whole.high / whole.low) - 1:.1%} would not have been seen"
    return [line, *comparison.warnings, *_advice(verdict)]


VERDICTS = {
    "faster": "B is faster",
    "slower": "B is slower",
    "no difference seen": "no difference seen",
    "too few processes to tell": "too few processes to tell",
    "the machine changed": "no verdict, the machine changed between A and B",
}


def times(ratio: MedianRatio) -> str:
    """`1.102 (1.071 to 1.134) times`"""
    interval = "" if ratio.low is None else f" ({ratio.low:.3f} to {ratio.high:.3f})"
    return f"{ratio.ratio:.3f}{interval} times"


def _measured(comparison: Comparison) -> str:
    a, b = comparison.processes
    return f"{a} rounds" if comparison.paired else f"{a} and {b} processes"


def _advice(verdict: str) -> list[str]:
    if verdict == "too few processes to tell":
        return ["measure with --processes 5 or more"]
    return ["measure both in one run, or again on a quieter machine"] if verdict == "the machine changed" else []


def _table(comparison: Comparison, confidence: float) -> Table:
    from rich.table import Table

    table = Table()
    table.add_column("ms")
    for name in ("A", "B", "B / A", f"{confidence:.0%} interval"):
        table.add_column(name, justify="right")
    table.add_column("B is")
    for name, stage in comparison.stages.items():
        one = stage.ratio
        interval = "" if one.low is None else f"{one.low:.3f} – {one.high:.3f}"
        cells = LABELS.get(name, name), f"{one.a_ms:.3f}", f"{one.b_ms:.3f}", f"{one.ratio:.3f}", interval
        table.add_row(*cells, stage.verdict, style="bold" if name == "whole" else None)
    return table
