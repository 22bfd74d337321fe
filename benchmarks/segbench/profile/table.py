"""The profile for people: operators in the order in which they run, or by kind; then the places; at most 100 columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from segbench.latency.table import WIDTH, machine_line
from segbench.profile.result import Estimate, GroupTime, PartTime, ProfileResult

if TYPE_CHECKING:
    from rich.table import Table

BELOW = "≤ error"
_TITLES = ("#", "operator", "name", "output", "runs on", "ms", "share")
_NUMBERS = ("#", "ms", "share")
_SHORTEST = 4
_PLACES = {
    "XNNPACK": "XNNPACK",
    "LiteRT": "LiteRT's own kernels",
    "CPU": "onnxruntime's CPU provider",
}
_CLOCKS = {"processor": "of the processor's time", "wall": "by the clock on the wall"}
_METHODS = {
    "cut": "each operator cut out as a graph of its own and run in a chain, as LiteRT's Python package has no profiler",
    "profiler": "onnxruntime's own profiler",
}


def print_profile(result: ProfileResult, by: str) -> None:
    """Tables on standard output, with what the profile comes to and how far it can be trusted. `by`: operator or kind."""
    from rich.console import Console

    console = Console(highlight=False)
    console.width = min(WIDTH, console.width) if console.is_terminal else WIDTH
    for line in headlines(result):
        console.print(line, markup=False)
    console.print(
        _operators(result.profile.parts, console.width)
        if by == "operator"
        else _groups(result.profile.kinds, "kind of operator")
    )
    console.print(_groups([replace(one, name=place_name(one.name)) for one in result.profile.places], "runs on"))
    for line in trust(result):
        console.print(line, markup=False)


def headlines(result: ProfileResult) -> list[str]:
    """Model, machine, method and coverage."""
    one = result.subject
    return [
        f"{one.model.name}: {one.model.precision}, {one.library}, {one.threads} thread{'s' if one.threads > 1 else ''}",
        machine_line(result.header.machine),
        f"method: {_METHODS[result.method]}; {result.processes} fresh "
        f"process{'' if result.processes == 1 else 'es'}, {result.seconds:g} s",
        coverage(result),
    ]


def coverage(result: ProfileResult) -> str:
    """How many operators run where, and how much of the time that is."""
    places, unpacking = result.profile.places, result.profile.unpacking
    every = sum(one.operators for one in places)
    said = [
        f"{one.operators} of {every} operators, {_percent(one.share)} of the time, on {place_name(one.name)}"
        for one in places
    ]
    if not any("XNNPACK" in one.name for one in places):
        said.append("none on XNNPACK")
    if unpacking:
        said.append(f"{unpacking} more only unpack weights, once")
    return "; ".join(said)


def trust(result: ProfileResult) -> list[str]:
    """How the sum and the second method compare with the whole."""
    one = result.profile
    whole, total, ratio = one.whole.time, one.sum_ms, one.sum_to_whole
    cost = ""
    if result.method == "cut" and ratio > 1:
        cost = f", {1e3 * (total - whole.ms) / len(one.parts):.1f} µs more for each of {len(one.parts)} parts"
    lines = [
        f"the whole takes {milliseconds(whole)} ms {_CLOCKS[one.clock]}, the parts {total:.3f} ms: "
        f"{ratio:.2f} times as long{cost}"
    ]
    if one.profiled is not None:
        lines.append(f"while the profiler watches, the whole takes {one.profiled.overhead:.2f} times as long")
    if one.prefixes:
        told = ", ".join(f"{prefix.apart:+.1%} ({prefix.parts} parts)" for prefix in one.prefixes)
        lines.append(
            "second method, the first parts as one graph: what they come to one by one differs from it, in shares of the "
            f"whole, by {told}"
        )
    lines.append(
        "±: half of the 95 % interval over the processes, which knows nothing of what is the same in all of them; "
        f"{BELOW}: too short or too unsteady to be told from nothing"
    )
    return lines


def milliseconds(time: Estimate) -> str:
    """`0.123 ± 0.004`, without an error where there was one process."""
    return f"{time.ms:.3f}" if time.error_ms is None else f"{time.ms:.3f} ± {time.error_ms:.3f}"


def place_name(place: str) -> str:
    """For people."""
    return " + ".join(_PLACES.get(one, one) for one in place.split(" + "))


def _operators(parts: Sequence[PartTime], width: int) -> Table:
    """Kinds get what the numbers leave of `width` columns, but for a few; names get the rest."""
    from rich.table import Table

    rows = [_row(number, one) for number, one in enumerate(parts, start=1)]
    widths = {title: max(len(title), *(len(row[k]) for row in rows)) for k, title in enumerate(_TITLES)}
    room = width - 3 * len(_TITLES) - 1 - sum(widths[title] for title in _TITLES if title not in ("operator", "name"))
    widths["operator"] = min(widths["operator"], max(_SHORTEST, room - _SHORTEST))
    widths["name"] = min(widths["name"], max(_SHORTEST, room - widths["operator"]))
    table = Table()
    for title in _TITLES:
        table.add_column(title, justify="right" if title in _NUMBERS else "left", no_wrap=True, width=widths[title])
    for row in rows:
        table.add_row(*row)
    return table


def _row(number: int, part: PartTime) -> tuple[str, ...]:
    shape, time = "x".join(map(str, part.shape)) or "one value", part.time
    below = time.error_ms is not None and time.ms <= time.error_ms
    share = BELOW if below else _percent(part.share)
    return str(number), part.kind, part.name, shape, part.place, milliseconds(time), share


def _groups(groups: Sequence[GroupTime], title: str) -> Table:
    from rich.table import Table

    table = Table()
    table.add_column(title, overflow="fold")
    for name in ("operators", "ms", "share"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in groups:
        table.add_row(one.name, str(one.operators), milliseconds(one.time), _percent(one.share))
    return table


def _percent(share: float) -> str:
    return f"{share:.1%}" if 0 < share < 0.9995 else f"{share:.0%}"
