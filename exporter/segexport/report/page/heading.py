"""Title, verdict in words, and everything that should worry somebody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from segexport.compare.rows import FileRow
from segexport.report.page.figures import counted, fixed, megabytes, size_in_words, whole
from segexport.report.page.files import processor_in_words
from segexport.report.page.lenient import brief, entries, mapping, number
from segexport.report.page.markup import Html, joined, tag
from segexport.report.page.tables import facts
from segexport.report.page.verdicts import passed, verdict
from segexport.report.page.views import Evidence

_SENTENCE = 2000


def heading(body: Mapping[str, Any], rows: Sequence[FileRow], evidence: Evidence) -> Html:
    source = mapping(body.get("source"))
    title = brief(source.get("checkpoint")) or "a checkpoint"
    good = bool(rows) and all(passed(row) for row in rows)
    verdict_line = tag("p", tag("strong", "✓ " if good else "✗ "), verdict(rows), class_="good" if good else "bad")
    return tag(
        "header",
        tag("p", "Export report", class_="kicker"),
        tag("h1", title),
        tag("div", verdict_line, class_=f"verdict {'good' if good else 'bad'}"),
        facts(_facts(body, source, rows)),
        _worries(worries(body, evidence)),
    )


def worries(body: Mapping[str, Any], evidence: Evidence) -> list[str]:
    """Warnings of the export, a budget that is not met, what the doctor warns of, and files that could not be run here."""
    budget, doctor = mapping(body.get("budget")), mapping(body.get("doctor"))
    found = [brief(text, _SENTENCE) for text in _texts(body.get("warnings"))]
    if budget.get("holds") is False:
        found.append(f"The accuracy budget is not met: {brief(budget.get('verdict'), _SENTENCE) or 'no verdict given'}")
    findings = (finding for finding in entries(doctor.get("findings")) if finding.get("level") == "warning")
    told = " ".join(found)  # an export warns of what its doctor found
    for text in (brief(finding.get("text"), _SENTENCE) for finding in findings):
        found += [] if text in told else [f"Calibration pictures: {text}"]
    found += [
        f"{brief(name)} is left out of the pictures and the histogram: {brief(why, _SENTENCE)}"
        for name, why in evidence.absent.items()
    ]
    return found


def _worries(found: Sequence[str]) -> Html:
    if not found:
        return Html("")
    listed = joined(tag("li", text) for text in found)
    return tag("div", tag("h2", counted(len(found), "warning")), tag("ul", listed), class_="worries")


def _facts(body: Mapping[str, Any], source: Mapping[str, Any], rows: Sequence[FileRow]) -> list[tuple[str, str]]:
    network = ", ".join(filter(None, (brief(source.get("architecture")), brief(source.get("variant")))))
    parameters = number(source.get("parameters"))
    smallest = min((row for row in rows if passed(row) and row.kept), key=lambda row: row.size_bytes, default=None)
    return [
        ("Network", network),
        ("Parameters", "" if parameters is None else whole(parameters)),
        ("Input", size_in_words(body.get("size"))),
        ("Converter", _converter(body)),
        *_in_float(body),
        ("Compared on", _pictures(body)),
        ("Timed on", processor_in_words(body)),
        ("Smallest within its bound", "" if smallest is None else _in_short(smallest)),
    ]


def _converter(body: Mapping[str, Any]) -> str:
    """The one that was taken, and why those before it were not."""
    refused = [f"not {brief(name)}: {brief(why, _SENTENCE)}" for name, why in mapping(body.get("refused")).items()]
    return "; ".join(filter(None, (brief(body.get("converter")), *refused)))


def _in_float(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What an integer file computes in float all the same."""
    return [
        (f"{brief(precision)}, in float", brief(mapping(found).get("text"), _SENTENCE))
        for precision, found in mapping(body.get("float_operators")).items()
        if number(mapping(found).get("count"))
    ]


def _pictures(body: Mapping[str, Any]) -> str:
    pictures = mapping(body.get("pictures"))
    count = number(pictures.get("measure"))
    if count is None:
        return ""
    source = brief(pictures.get("source"))
    return f"{counted(int(count), 'picture')}{f' ({source})' if source else ''}"


def _in_short(row: FileRow) -> str:
    time, iou = fixed(row.invoke_p50_ms, 1, " ms"), fixed(row.mask_iou, 4)
    return f"{brief(row.precision)}, {megabytes(row.size_bytes)} MB, {time}, mask IoU {iou}"


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)][:200] if isinstance(value, list) else []
