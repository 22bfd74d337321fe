"""The search for the cheapest file within the accuracy budget, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segexport.report.page.figures import difference, fixed, megabytes, whole
from segexport.report.page.lenient import brief, entries, mapping, words
from segexport.report.page.markup import Html, joined, tag
from segexport.report.page.section import Section
from segexport.report.page.tables import Column, layers, table

_COLUMNS = (
    Column("Step"),
    Column("What was tried", words=True),
    Column("Layers in float"),
    Column("Mask IoU"),
    Column("IoU drop, points"),
    Column("Boundary F"),
    Column("MB"),
    Column("Invoke p50, ms"),
    Column("Budget", words=True),
)


def budget_section(body: Mapping[str, Any]) -> Section | None:
    budget = mapping(body.get("budget"))
    steps = entries(budget.get("steps"))
    if not budget:
        return None
    against = brief(budget.get("against")) or "PyTorch's masks"
    lead = (
        f"At most {difference(budget.get('points'))} points of IoU may be lost against {against}. "
        "The search leaves in float what hurts most, and puts back into int8 what turns out not to."
    )
    listed = table("Steps of the search", _COLUMNS, [_cells(step) for step in steps])
    content = joined((_verdict(budget), listed))
    return Section(key="budget", title="The accuracy budget", lead=lead, content=content)


def _verdict(budget: Mapping[str, Any]) -> Html:
    holds = budget.get("holds")
    kind = "good" if holds is True else "bad" if holds is False else "open"
    mark = {"good": "✓ ", "bad": "✗ ", "open": ""}[kind]
    text = brief(budget.get("verdict"), 2000) or "No verdict was given."
    return tag("p", tag("strong", mark), text, class_=f"verdict {kind}")


def _cells(step: Mapping[str, Any]) -> list[str]:
    holds = step.get("holds")
    kind, text = ("good", "✓ holds") if holds is True else ("bad", "✗ over") if holds is False else (None, "–")
    return [
        whole(step.get("step")),
        brief(step.get("what"), 400),
        layers(words(step.get("float_layers"))),
        fixed(step.get("iou"), 4),
        fixed(step.get("drop_points"), 3),
        fixed(step.get("boundary_f"), 4),
        megabytes(step.get("size_bytes")),
        fixed(step.get("invoke_p50_ms"), 1),
        tag("span", text, class_=kind),
    ]
