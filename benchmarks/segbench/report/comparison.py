"""The configurations of one run next to its first: ratios, as `segbench compare` makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from segbench.compare.run import compare_results
from segbench.errors import ComparisonError
from segbench.plots.distribution import number
from segbench.report.markup import Markup, element, together
from segbench.report.tables import table

_AXES = ("model", "threads", "backend", "preset")  # not the size: a smaller frame is less work, not a faster program
_KINDS = {"faster": "good", "slower": "bad"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Frames of one size: the first configuration, and each other one's comparison with it, of `segbench.compare.run`."""

    frame: str
    first: str
    confidence: float
    comparisons: list[dict[str, Any]]


def beside_first(result: dict[str, Any]) -> tuple[list[Beside], list[str]]:
    """Of a latency result; and what could not be compared, in words.

    The first is the one that the command named first. The fastest would be another one in every run, and taking it for the
    measure would make it look faster than it is.
    """
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for one in result["configurations"]:
        frame, stages = one["frame"], {"whole": one["stages"]["whole"]}
        key = frame["width"], frame["height"], frame["source"]
        groups.setdefault(key, []).append({**one, "stages": stages})
    found, refused = [], []
    for (width, height, _), (first, *others) in groups.items():
        if not others:
            continue
        # both sides keep the digest of the run, so that its rounds are paired
        sides = {**result, "configurations": [first]}, {**result, "configurations": others}
        try:
            made = compare_results(*sides, axes=_AXES)
        except ComparisonError as error:
            refused.append(str(error))
            continue
        frame_size, rows = f"{width}x{height}", made["comparisons"]
        found.append(Beside(frame=frame_size, first=first["name"], confidence=made["confidence"], comparisons=rows))
    return found, refused


def beside_section(result: dict[str, Any]) -> Markup:
    """Nothing where there is only one configuration of each frame's size."""
    found, refused = beside_first(result)
    notes = [element("p", f"Not compared: {text}.") for text in refused]
    return together([*(_table(one, several=len(found) > 1) for one in found), *notes])


def _table(one: Beside, *, several: bool) -> Markup:
    where = f" ({one.frame})" if several else ""
    title = element("h4", f"Compared with {one.first}{where}")
    lead = (
        "How many times as long the whole takes. Measured in turn, so the ratios are taken within rounds; each interval holds "
        f"for its own line, at {one.confidence:.0%}."
    )
    columns = ("configuration", "the first's, ms", "its own, ms", "ratio", "interval", "verdict")
    rows = [_cells(comparison) for comparison in one.comparisons]
    made = table(f"Ratios to {one.first}{where}", columns, rows, words=("verdict",))
    return together([title, element("p", lead, class_="lead"), made])


def _cells(comparison: dict[str, Any]) -> list[str]:
    whole, verdict = comparison["stages"]["whole"], comparison["verdict"]
    interval = "–" if whole["low"] is None else f"{whole['low']:.3f} – {whole['high']:.3f}"
    shown = element("span", verdict, class_=_KINDS.get(verdict))
    return [comparison["b"], number(whole["a_ms"]), number(whole["b_ms"]), f"{whole['ratio']:.3f}", interval, shown]
