"""The minutes for people."""

from __future__ import annotations

from segbench.results.sustained import Minute, SustainedResult

_COLUMNS = ("minute", "n", "p50", "p90", "°C", "MHz", "throttled", "others")


def print_sustained(result: SustainedResult) -> None:
    """The table on standard output, and what it comes to in words."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    for line in headline(result):
        console.print(line, markup=False, soft_wrap=True)
    table = Table()
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for one in result.minutes:
        table.add_row(*cells(one))
    console.print(table)
    for line in (legend(result), in_words(result)):
        console.print(line, markup=False, soft_wrap=True)


def headline(result: SustainedResult) -> list[str]:
    """Model and machine, one line each."""
    one, machine = result.subject, result.header.machine
    preset = "" if one.preset is None else f", preset {one.preset}"
    return [
        f"{one.model.name}: {one.library}, {one.threads} thread{'s' if one.threads > 1 else ''}, "
        f"{one.frame.size} ({one.frame.source}){preset}",
        f"{machine.cpu}, {machine.cores} cores, {machine.system}",
    ]


def cells(one: Minute) -> tuple[str, ...]:
    """A row; a dash where the machine does not tell."""
    throttled = {None: "–", True: "yes", False: "no"}[one.throttled]
    return (
        str(one.minute),
        str(one.n),
        f"{one.p50_ms:.2f}",
        f"{one.p90_ms:.2f}",
        _or_dash(one.temperature_c, ".1f"),
        _or_dash(one.frequency_mhz, ".0f"),
        throttled,
        _or_dash(one.others_cores, ".1f"),
    )


def minute_line(one: Minute) -> str:
    """What is told while it runs."""
    heat = "" if one.temperature_c is None else f", {one.temperature_c:.1f} °C"
    held = ", throttled" if one.throttled else ""
    return f"minute {one.minute}: p50 {one.p50_ms:.2f} ms, p90 {one.p90_ms:.2f} ms{heat}{held}"


def in_words(result: SustainedResult) -> str:
    """How the end compares with the beginning."""
    ratio = result.last_to_first
    if ratio is None:
        return "too short to compare its end with its beginning; measure at least 2 minutes"
    return f"its last minute takes {ratio:.2f} times as long as its first"


def legend(result: SustainedResult) -> str:
    """What the columns are."""
    cores = result.header.machine.logical_cores
    return f"p50 and p90 in ms from frame to composite; others: how many of the {cores} cores other programs took"


def _or_dash(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
