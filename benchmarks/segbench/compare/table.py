"""A comparison for people."""

from __future__ import annotations

import math
from typing import Any

from segbench.latency.table import LABELS

_WIDTH = 98


def print_comparison(result: dict[str, Any]) -> None:
    """A table for each pair of configurations, on standard output."""
    from rich.console import Console

    console = Console(highlight=False)
    for line in headlines(result):
        console.print(line, markup=False, soft_wrap=True)
    for one in result["comparisons"]:
        console.print()
        for line in names(one):
            console.print(line, markup=False, soft_wrap=True)
        console.print(_table(one, result["confidence"]), width=_WIDTH)
        for line in conclusion(one):
            console.print(line, markup=False, soft_wrap=True)


def headlines(result: dict[str, Any]) -> list[str]:
    """Which files, and what is different between them next to the values."""
    lines = [f"{side}: {result[key]['name']}, {result[key]['measured_at']}" for side, key in (("A", "a"), ("B", "b"))]
    if result["a"]["digest"] == result["b"]["digest"]:
        lines = [f"{result['a']['name']}, {result['a']['measured_at']}"]
    return [*lines, *(f"different: {line}" for line in result["differences"])]


def names(comparison: dict[str, Any]) -> list[str]:
    """Which configurations, and what is different between them."""
    a, b = comparison["a"], comparison["b"]
    return [a if a == b else f"A is {a}, B is {b}", *(f"different: {line}" for line in comparison["differences"])]


def conclusion(comparison: dict[str, Any]) -> list[str]:
    """The verdict of the whole, in words, and what to know about it."""
    whole, verdict = comparison["stages"]["whole"], comparison["verdict"]
    line = f"{VERDICTS[verdict]}: {times(whole)} the time, {_measured(comparison)}"
    if verdict == "the machine changed":
        line += f"; importing the same code took {times(comparison['imports'])} the time"
    if verdict == "no difference seen":
        line += f"; a difference below {math.sqrt(whole['high'] / whole['low']) - 1:.1%} would not have been seen"
    return [line, *comparison["warnings"], *_advice(verdict)]


VERDICTS = {
    "faster": "B is faster",
    "slower": "B is slower",
    "no difference seen": "no difference seen",
    "too few processes to tell": "too few processes to tell",
    "the machine changed": "no verdict, the machine changed between A and B",
}


def times(ratio: dict[str, Any]) -> str:
    """`1.102 (1.071 to 1.134) times`"""
    return f"{ratio['ratio']:.3f}{_interval(ratio)} times"


def _interval(ratio: dict[str, Any]) -> str:
    return "" if ratio["low"] is None else f" ({ratio['low']:.3f} to {ratio['high']:.3f})"


def _measured(comparison: dict[str, Any]) -> str:
    a, b = comparison["processes"]
    return f"{a} rounds" if comparison["paired"] else f"{a} and {b} processes"


def _advice(verdict: str) -> list[str]:
    if verdict == "too few processes to tell":
        return ["measure with --processes 5 or more"]
    return ["measure both in one run, or again on a quieter machine"] if verdict == "the machine changed" else []


def _table(comparison: dict[str, Any], confidence: float) -> Any:
    from rich.table import Table

    table = Table()
    table.add_column("ms")
    for name in ("A", "B", "B / A", f"{confidence:.0%} interval"):
        table.add_column(name, justify="right")
    table.add_column("B is")
    for name, row in comparison["stages"].items():
        interval = "" if row["low"] is None else f"{row['low']:.3f} – {row['high']:.3f}"
        cells = LABELS.get(name, name), f"{row['a_ms']:.3f}", f"{row['b_ms']:.3f}", f"{row['ratio']:.3f}", interval
        table.add_row(*cells, row["verdict"], style="bold" if name == "whole" else None)
    return table
