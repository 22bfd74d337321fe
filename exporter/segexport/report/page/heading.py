"""What stands above all else: the files in short, and everything that should worry somebody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from segexport.compare.rows import FileRow
from segexport.report.page.values import brief, entries, fixed, mapping, megabytes, number, size_in_words
from segexport.report.page.verdicts import passed
from segexport.report.page.views import Evidence
from segruntime.html_page.render import counted
from segruntime.processor import in_words

_SENTENCE = 2000


def find_warnings(body: Mapping[str, Any], evidence: Evidence) -> list[str]:
    """Warnings of the export, a budget that is not met, what the doctor warns of, and files that could not be run here."""
    budget, doctor = mapping(body.get("budget")), mapping(body.get("doctor"))
    found = [brief(text, _SENTENCE) for text in _texts(body.get("warnings"))]
    if budget["holds"] is False:
        found.append(f"The accuracy budget is not met: {brief(budget['verdict'], _SENTENCE) or 'no verdict given'}")
    findings = (finding for finding in entries(doctor["findings"]) if finding["level"] == "warning")
    told = " ".join(found)  # an export warns of what its doctor found
    for text in (brief(finding["text"], _SENTENCE) for finding in findings):
        found += [] if text in told else [f"Calibration pictures: {text}"]
    found += [
        f"{brief(name)} is left out of the pictures and the histogram: {brief(why, _SENTENCE)}"
        for name, why in evidence.absent.items()
    ]
    return found


def in_short(body: Mapping[str, Any], rows: Sequence[FileRow]) -> list[tuple[str, str]]:
    """Terms and what they are; "" or a dash where it is not known."""
    source = mapping(body.get("source"))
    smallest = min((row for row in rows if passed(row) and row.kept), key=lambda row: row.size_bytes, default=None)
    return [
        ("Network", ", ".join(filter(None, (brief(source["architecture"]), brief(source["variant"]))))),
        ("Parameters", fixed(source["parameters"], 0)),
        ("Input", size_in_words(body.get("size"))),
        ("Converter", _converter(body)),
        *_in_float(body),
        ("Compared on", _pictures(body)),
        ("Timed on", processor_in_words(body)),
        ("Smallest within its bound", "" if smallest is None else _measured(smallest)),
    ]


def processor_in_words(body: Mapping[str, Any]) -> str:
    """The processor that the times are of; "" where the report does not say."""
    processor = mapping(body.get("processor"))
    name, int8 = brief(processor["name"]), brief(processor["int8"])
    return in_words(name, int8) if name and int8 else name


def _converter(body: Mapping[str, Any]) -> str:
    """The one that was taken, and why those before it were not."""
    refused = [f"not {brief(name)}: {brief(why, _SENTENCE)}" for name, why in mapping(body.get("refused")).items()]
    return "; ".join(filter(None, (brief(body.get("converter")), *refused)))


def _in_float(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What an integer file computes in float all the same."""
    return [
        (f"{brief(precision)}, in float", brief(mapping(found)["text"], _SENTENCE))
        for precision, found in mapping(body.get("float_operators")).items()
        if number(mapping(found)["count"])
    ]


def _pictures(body: Mapping[str, Any]) -> str:
    pictures = mapping(body.get("pictures"))
    count, source = number(pictures["measure"]), brief(pictures["source"])
    return "" if count is None else f"{counted(int(count), 'picture')}{f' ({source})' if source else ''}"


def _measured(row: FileRow) -> str:
    time, iou = fixed(row.invoke_p50_ms, 1, " ms"), fixed(row.mask_iou, 4)
    return f"{brief(row.precision)}, {megabytes(row.size_bytes)} MB, {time}, mask IoU {iou}"


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)][:200] if isinstance(value, list) else []
