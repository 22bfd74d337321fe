"""What a check of a port found, for people: one line a model and step, and the first step that differs."""

from __future__ import annotations

from collections.abc import Sequence

from segexport.console import print_table
from segexport.errors import InaccurateError
from segexport.vectors.check import StepCheck

_HEADER = ("model", "step", "arrays", "largest", "mean", "IoU", " ")


def print_port(rows: Sequence[StepCheck], *, title: str) -> None:
    """The worst of each model and step."""
    groups: dict[tuple[str, str], list[StepCheck]] = {}
    for row in rows:
        groups.setdefault((row.model, row.step), []).append(row)
    print_table(title, _HEADER, [(*names, *_cells(group)) for names, group in groups.items()])


def require_near(rows: Sequence[StepCheck]) -> None:
    """Raise InaccurateError that names the first array which is not near enough: what comes after it follows from it."""
    wrong = [row for row in rows if row.problem]
    if wrong:
        first = wrong[0]
        more = f" ({len(wrong) - 1} more differ, perhaps because of it)" if len(wrong) > 1 else ""
        raise InaccurateError(f"{first.file}: {first.problem}. Mend {first.step} first{more}; docs/porting.md says how")


def _cells(group: Sequence[StepCheck]) -> tuple[str, str, str, str, str]:
    given = [row for row in group if row.given]
    if not given:
        return f"0/{len(group)}", "", "", "", "not written"
    ious = [row.iou for row in given if row.iou is not None]
    return (
        f"{len(given)}/{len(group)}",
        f"{max(row.largest for row in given):.3g}",
        f"{max(row.mean for row in given):.2g}",
        f"{min(ious):.4f}" if ious else "",
        "differs" if any(row.problem for row in given) else "near enough",
    )
