"""The table of all files: those over their bound first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from segexport.compare.rows import FileRow
from segexport.report.page.figures import NONE, difference, fixed, megabytes, percent, whole
from segexport.report.page.lenient import brief, mapping, words
from segexport.report.page.markup import NOTHING, Html, joined, tag
from segexport.report.page.section import Section
from segexport.report.page.tables import Column, layers, table
from segexport.report.page.verdicts import passed, short_verdict
from segruntime.processor import in_words

_COLUMNS = (
    Column("File", words=True),
    Column("MB"),
    Column("of float32"),
    Column("Largest diff."),
    Column("Mean diff."),
    Column("Mask IoU"),
    Column("Boundary F"),
    Column("Changed pixels"),
    Column("Invoke p50, ms"),
    Column("Pictures"),
    Column("Bound", words=True),
    Column("Verdict", words=True),
    Column("Layers in float"),
)
_LEAD = (
    "Each file against PyTorch's masks. Differences are of the person's probability, 0 to 1; IoU, boundary F and changed "
    "pixels compare the masks at a threshold of 0.5, as means over the pictures. Times are of the machine that exported"
)
_SENTENCE = 500


def files_section(rows: Sequence[FileRow], body: Mapping[str, Any]) -> Section:
    ordered = sorted(rows, key=passed)
    over = [index for index, row in enumerate(ordered) if not passed(row)]
    base = _float32_size(rows)
    listed = table("All files", _COLUMNS, [_cells(row, base) for row in ordered], marked=over)
    where = processor_in_words(body)
    lead = f"{_LEAD}{f', {where}' if where else ''}."
    return Section(key="files", title="Files", lead=lead, content=joined((listed, _int8_speed(body))))


def processor_in_words(body: Mapping[str, Any]) -> str:
    """The processor that the times are of; "" where the report does not say."""
    processor = mapping(body.get("processor"))
    name, int8 = brief(processor.get("name")), brief(processor.get("int8"))
    return in_words(name, int8) if name and int8 else name


def _int8_speed(body: Mapping[str, Any]) -> Html:
    text = brief(mapping(body.get("int8_speed")).get("text"), _SENTENCE)
    return tag("p", f"{text}.", class_="lead") if text else NOTHING


def _cells(row: FileRow, base: float | None) -> list[str]:
    return [
        tag("span", brief(row.precision), tag("small", brief(row.name))),
        megabytes(row.size_bytes),
        NONE if not base else percent(row.size_bytes / base, 0),
        difference(row.max_difference),
        difference(row.mean_difference),
        fixed(row.mask_iou, 4),
        fixed(row.boundary_f, 4),
        percent(row.changed_pixels, 3),
        fixed(row.invoke_p50_ms, 1),
        whole(row.pictures),
        brief(row.bound_text) or NONE,
        tag("span", short_verdict(row), class_="good" if passed(row) else "bad"),
        layers(words(row.float_layers)),
    ]


def _float32_size(rows: Sequence[FileRow]) -> float | None:
    sizes = {row.precision: row.size_bytes for row in rows}
    return sizes.get("float32") or sizes.get("onnx")
