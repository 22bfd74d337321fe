"""The profile for people: operators in the order in which they run, or by kind; then the places; at most 100 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from segbench.latency.table import WIDTH, machine_line

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


def print_profile(result: dict[str, Any], by: str) -> None:
    """Tables on standard output, with what the profile comes to and how far it can be trusted. `by`: operator or kind."""
    from rich.console import Console

    console = Console(highlight=False)
    console.width = min(WIDTH, console.width) if console.is_terminal else WIDTH
    for line in headlines(result):
        console.print(line, markup=False)
    console.print(
        _operators(result, console.width) if by == "operator" else _groups(result["kinds"], "kind", "kind of operator")
    )
    console.print(_groups([{**one, "place": place_name(one["place"])} for one in result["places"]], "place", "runs on"))
    for line in trust(result):
        console.print(line, markup=False)


def headlines(result: dict[str, Any]) -> list[str]:
    """Model, machine, method and coverage."""
    model, threads = result["model"], result["threads"]
    settings = result["settings"]
    return [
        f"{model['name']}: {model['precision']}, {result['library']} {result['library_version']}, "
        f"{threads} thread{'s' if threads > 1 else ''}",
        machine_line(result["machine"]),
        f"method: {_METHODS[result['method']]}; {settings['processes']} fresh "
        f"process{'' if settings['processes'] == 1 else 'es'}, {settings['seconds']:g} s",
        coverage(result),
    ]


def coverage(result: dict[str, Any]) -> str:
    """How many operators run where, and how much of the time that is."""
    every = sum(one["operators"] for one in result["places"])
    said = [
        f"{one['operators']} of {every} operators, {_percent(one['share'])} of the time, on {place_name(one['place'])}"
        for one in result["places"]
    ]
    if not any("XNNPACK" in one["place"] for one in result["places"]):
        said.append("none on XNNPACK")
    unpacking = result["unpacking"]
    if unpacking:
        said.append(f"{unpacking} more only unpack weights, once")
    return "; ".join(said)


def trust(result: dict[str, Any]) -> list[str]:
    """How the sum and the second method compare with the whole."""
    whole, total, ratio = result["whole"], result["sum_ms"], result["sum_to_whole"]
    cost = ""
    if result["method"] == "cut" and ratio > 1:
        cost = f", {1e3 * (total - whole['ms']) / len(result['parts']):.1f} µs more for each of {len(result['parts'])} parts"
    lines = [
        f"the whole takes {milliseconds(whole)} ms {_CLOCKS[result['clock']]}, the parts {total:.3f} ms: "
        f"{ratio:.2f} times as long{cost}"
    ]
    if result["profiled"] is not None:
        lines.append(f"while the profiler watches, the whole takes {result['profiled']['overhead']:.2f} times as long")
    if result["prefixes"]:
        told = ", ".join(f"{one['apart']:+.1%} ({one['parts']} parts)" for one in result["prefixes"])
        lines.append(
            "second method, the first parts as one graph: what they come to one by one differs from it, in shares of the "
            f"whole, by {told}"
        )
    lines.append(
        "±: half of the 95 % interval over the processes, which knows nothing of what is the same in all of them; "
        f"{BELOW}: too short or too unsteady to be told from nothing"
    )
    return lines


def milliseconds(one: dict[str, Any]) -> str:
    """`0.123 ± 0.004`, without an error where there was one process."""
    return f"{one['ms']:.3f}" if one["error_ms"] is None else f"{one['ms']:.3f} ± {one['error_ms']:.3f}"


def place_name(place: str) -> str:
    """For people."""
    return " + ".join(_PLACES.get(one, one) for one in place.split(" + "))


def _operators(result: dict[str, Any], width: int) -> Table:
    """Kinds get what the numbers leave of `width` columns, but for a few; names get the rest."""
    from rich.table import Table

    rows = [_row(number, one) for number, one in enumerate(result["parts"], start=1)]
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


def _row(number: int, part: dict[str, Any]) -> tuple[str, ...]:
    shape = "x".join(map(str, part["shape"])) or "one value"
    below = part["error_ms"] is not None and part["ms"] <= part["error_ms"]
    share = BELOW if below else _percent(part["share"])
    return str(number), part["kind"], part["name"], shape, part["place"], milliseconds(part), share


def _groups(groups: Sequence[dict[str, Any]], key: str, title: str) -> Table:
    from rich.table import Table

    table = Table()
    table.add_column(title, overflow="fold")
    for name in ("operators", "ms", "share"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in groups:
        table.add_row(one[key], str(one["operators"]), milliseconds(one), _percent(one["share"]))
    return table


def _percent(share: float) -> str:
    return f"{share:.1%}" if 0 < share < 0.9995 else f"{share:.0%}"
