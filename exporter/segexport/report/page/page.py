"""The whole page, from the report, the pictures and what a run of the files showed; reads nothing else."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segexport.compare.rows import FileRow
from segexport.report.page import values
from segexport.report.page.heading import find_warnings, in_short, processor_in_words
from segexport.report.page.histogram import StepChart
from segexport.report.page.images import gray, heat, heat_scale, photo
from segexport.report.page.noise import noise_operators
from segexport.report.page.values import brief, entries, mapping
from segexport.report.page.verdicts import passed, short_verdict, verdict
from segexport.report.page.views import Evidence, PictureView, least_exact, shown_masks
from segruntime.html_page.render import render

_FILTERS = (
    *(values.brief, values.difference, values.entries, values.fixed, values.indented, values.mapping),
    *(values.megabytes, values.number, values.percent, values.size_in_words, values.triple, values.words),
    *(gray, heat, passed, photo, short_verdict),
)
_LEVELS = {"warning": ("bad", "Warning"), "note": ("open", "Note"), "ok": ("good", "OK")}


def build_page(
    body: Mapping[str, Any],
    rows: Sequence[FileRow],
    views: Sequence[PictureView],
    evidence: Evidence | None = None,
) -> str:
    """A report as HTML.

    Args:
        body: what `report.json` holds; every key of it may be absent.
        rows: its files.
        views: pictures with the files' masks, in the order in which they are shown.
        evidence: what a run of the files showed; without it there is neither histogram nor contract.
    """
    found = evidence or Evidence()
    sizes = {row.precision: row.size_bytes for row in rows}
    return render(
        Path(__file__).parent,
        _FILTERS,
        body=mapping(body),
        rows=sorted(rows, key=passed),
        evidence=found,
        good=bool(rows) and all(map(passed, rows)),
        verdict=verdict(rows),
        in_short=in_short(body, rows),
        problems=find_warnings(body, found),
        float32_bytes=sizes.get("float32") or sizes.get("onnx"),
        processor=processor_in_words(body),
        chart=_chart(rows, found),
        operators=noise_operators(body),
        findings=_findings(body),
        left_out=_left_out(body),
        flips=_flips(body),
        command=_command(body),
        **_pictures(rows, views),
    )


def _pictures(rows: Sequence[FileRow], views: Sequence[PictureView]) -> dict[str, Any]:
    """The pictures; which files' masks of them are shown, which one's differences (`hot`), and the largest of these."""
    ran = {name for view in views for name in view.masks}
    hot = least_exact(rows, ran) or ""
    most = max((view.masks[hot].agreement.max_difference for view in views if hot in view.masks), default=0.0)
    return {"views": views, "masks": shown_masks(rows, ran), "hot": hot, "most": most, "heat_scale": heat_scale}


def _chart(rows: Sequence[FileRow], evidence: Evidence) -> StepChart | None:
    spreads = {row.precision: evidence.spreads[row.precision] for row in rows if row.precision in evidence.spreads}
    return StepChart(spreads) if spreads and all(counts.sum() for counts in spreads.values()) else None


def _findings(body: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What the doctor found, the worst first: how it is coloured, its level, its text."""
    findings = entries(mapping(body.get("doctor"))["findings"])
    found = [(brief(one["level"], 20), brief(one["text"], 2000)) for one in findings]
    order = list(_LEVELS)
    found.sort(key=lambda one: order.index(one[0]) if one[0] in order else len(order))
    return [(*_LEVELS.get(level, ("open", level or "Unknown")), text) for level, text in found]


def _left_out(body: Mapping[str, Any]) -> str:
    doctor = mapping(body.get("doctor"))
    found, usable = values.number(doctor["found"]), values.number(doctor["usable"])
    return "" if found is None or usable is None else values.fixed(found - usable, 0)


def _flips(body: Mapping[str, Any]) -> list[tuple[str, values.Known]]:
    files = ((brief(one["precision"]), mapping(one["flips"])) for one in entries(body.get("files")))
    return [(name, flips) for name, flips in files if flips]


def _command(body: Mapping[str, Any]) -> str:
    given = body.get("command")
    command = [word for word in given if isinstance(word, str)] if isinstance(given, list) else []
    return brief(" ".join(shlex.quote(word) for word in command[:200]), 4000)
