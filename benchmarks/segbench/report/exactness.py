"""How exact the masks are: a table of all accuracy results, whatever machine made them."""

from __future__ import annotations

from collections.abc import Sequence

from segbench.accuracy.table import LABELS
from segbench.plots.sources import Source
from segbench.report.configurations import Exact
from segbench.report.markup import Markup, element, together
from segbench.report.tables import folded, named, table
from segbench.report.values import counted
from segbench.results.accuracy import AccuracyResult
from segbench.results.subject import AccuracyKey


def mean_ious(accuracy: Sequence[Source[AccuracyResult]]) -> Exact:
    """The mean IoU of each model, backend and preset; one for each set of pictures, of several on the same the last."""
    found: dict[AccuracyKey, dict[str, float]] = {}
    for source in accuracy:
        result = source.result
        found.setdefault(result.key, {})[result.pictures_sha256] = result.summary["iou"].mean
    return {key: tuple(ious.values()) for key, ious in found.items()}


def exactness_section(accuracy: Sequence[Source[AccuracyResult]]) -> Markup:
    """Of at least one result."""
    sets = list(dict.fromkeys(source.result.pictures_sha256 for source in accuracy))
    columns = ("model", "IoU, %", "std", "lowest", "boundary F, %", "std", "mean abs. error, %", "pictures")
    parts = [
        element("h2", "How exact the masks are", id="exact-title"),
        element(
            "p",
            "Against hand-made masks, at the full size of each picture; means over the pictures. They say how exact a model is "
            "on these pictures, and hold for every machine that gives the same masks.",
            class_="lead",
        ),
        table("Accuracy", columns, [_cells(source.result, sets) for source in accuracy]),
        folded("The pictures with the lowest IoU", _worst(accuracy)),
    ]
    if len(sets) > 1:
        text = f"These are {len(sets)} different sets of pictures, A to {_letter(len(sets) - 1)}: only results on the same "
        parts.insert(2, element("p", f"{text}set can be compared."))
    return element("section", together(parts), id="exact", aria_labelledby="exact-title")


def _cells(result: AccuracyResult, sets: Sequence[str]) -> list[str]:
    summary, file = result.summary, result.model.file
    preset = "no preset" if result.preset is None else result.preset
    which = f" ({_letter(sets.index(result.pictures_sha256))})" if len(sets) > 1 else ""
    return [
        named(file.name, f"{file.precision}, {result.model.library}, {preset}, {file.sha256[:8]}"),
        _percent(summary["iou"].mean),
        _percent(summary["iou"].std),
        _percent(summary["iou"].min),
        _percent(summary["boundary_f"].mean),
        _percent(summary["boundary_f"].std),
        _percent(summary["mean_absolute_error"].mean),
        f"{len(result.each)}{which}",
    ]


def _worst(accuracy: Sequence[Source[AccuracyResult]], most: int = 5) -> Markup:
    rows = []
    for source in accuracy:
        lowest = sorted(source.result.each, key=lambda one: (one.iou, one.picture))[:most]
        rows.append([source.name, ", ".join(f"{one.picture} {_percent(one.iou)}" for one in lowest)])
    title = f"{counted(most, 'picture')} each, {LABELS['iou']} in %"
    return table("Lowest IoU", ("results", title), rows, words=(title,))


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _letter(k: int) -> str:
    return chr(ord("A") + k) if k < 26 else str(k + 1)
