"""The table of configurations of one latency result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segbench.latency.table import start_cells
from segbench.plots.distribution import number
from segbench.report.markup import Markup, element
from segbench.report.tables import named, table
from segbench.results.latency import Configuration, LatencyResult
from segbench.results.subject import AccuracyKey

Exact = Mapping[AccuracyKey, Sequence[float]]  # the mean IoU on each set of pictures

_TIMES = ("p50_ms", "p90_ms", "p99_ms")
_STARTS = ("import ms", "load ms", "first mask ms", "MB", "MB over base")
_KINDS = {"steady": "good", "too few values": None}


def configurations_table(result: LatencyResult, exact: Exact) -> Markup:
    """A row for each configuration, in the order in which they were given; `exact` as `mean_ious` has it."""
    rows = [_cells(one, exact) for one in result.configurations]
    columns = [name for name in rows[0] if any(row[name] for row in rows)]
    cells = [[row[name] or "–" for name in columns] for row in rows]
    return table("Configurations", columns, cells, words=("values are",))


def _cells(one: Configuration, exact: Exact) -> dict[str, str]:
    """By column; "" where it is not known. A column that no row knows is left out."""
    whole, verdict, starts = one.stages["whole"], one.stability["whole"].verdict, start_cells(one)
    ious = exact.get(one.subject.accuracy_key, ())
    return {
        "configuration": named(one.name, about(one)),
        **{f"{key[:3]}, ms": number(getattr(whole, key)) for key in _TIMES},
        "n": f"{whole.n:,}",
        "frames/s": starts["frames/s"],
        "late": starts.get("late", ""),
        "IoU, %": ", ".join(f"{100 * iou:.2f}" for iou in ious),
        "file, MB": f"{one.subject.model.size_bytes / 1e6:.2f}",
        **{_titled(name): starts[name] for name in _STARTS},
        "values are": element("span", verdict, class_=_KINDS.get(verdict, "unsure")),
    }


def about(configuration: Configuration) -> str:
    """How it was run, in short."""
    one = configuration.subject
    parts = [
        one.model.precision,
        str(one.library),
        f"{one.threads} thread{'' if one.threads == 1 else 's'}",
        one.frame.size,
        "no preset" if one.preset is None else one.preset,
    ]
    return ", ".join(parts)


def _titled(name: str) -> str:
    titles = {"MB": "memory, MB", "MB over base": "over baseline, MB"}
    return titles.get(name, name.replace(" ms", ", ms"))
