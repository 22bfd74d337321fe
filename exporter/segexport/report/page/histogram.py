"""How many pixels are how far apart, for every file: legend, chart, and the counts as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segexport.compare.rows import FileRow
from segexport.report.page.figures import counted, fixed, percent
from segexport.report.page.lenient import brief
from segexport.report.page.markup import Html, joined, tag
from segexport.report.page.section import Section
from segexport.report.page.spread import BINS, LOWEST_DECADE, PER_DECADE, between
from segexport.report.page.step_chart import step_chart, style_of
from segexport.report.page.tables import Column, folded, scrolling, table
from segexport.report.page.views import Counts, Evidence

_HUNDREDTH = 1 + PER_DECADE * (-2 - LOWEST_DECADE)  # the first bin above 0.01


def histogram_section(rows: Sequence[FileRow], evidence: Evidence) -> Section | None:
    spreads = {row.precision: evidence.spreads[row.precision] for row in rows if row.precision in evidence.spreads}
    if not spreads or not all(counts.sum() for counts in spreads.values()):
        return None
    pixels = int(next(iter(spreads.values())).sum())
    chart = scrolling("Histogram of differences", step_chart(spreads))
    return Section(
        key="differences",
        title="How far apart the probabilities are",
        lead=f"Every pixel of the {counted(evidence.pictures, 'stored picture')}, {pixels:,} for each file. Both scales are "
        "logarithmic: a step to the right is a larger difference, a step down means far fewer pixels.",
        content=joined((_legend(spreads), chart, folded("The counts as a table", _counts(spreads)))),
    )


def _legend(spreads: Mapping[str, Counts]) -> Html:
    items = (
        tag("li", _swatch(index), tag("b", brief(name)), f" {_above_a_hundredth(counts)}")
        for index, (name, counts) in enumerate(spreads.items())
    )
    return tag("ul", joined(items), class_="legend")


def _above_a_hundredth(counts: Counts) -> str:
    above = int(counts[_HUNDREDTH:].sum())
    return f"{percent(above / counts.sum(), 3)} above 0.01" if above else "no pixel above 0.01"


def _swatch(index: int) -> Html:
    line = tag("line", x1=0, y1=5, x2=28, y2=5, class_=style_of(index))
    return tag("svg", line, width=28, height=10, viewBox="0 0 28 10", aria_hidden="true")


def _counts(spreads: Mapping[str, Counts]) -> Html:
    columns = (Column("Difference", words=True), *(Column(brief(name)) for name in spreads))
    rows = ([between(k), *(fixed(int(counts[k]), 0) for counts in spreads.values())] for k in range(BINS))
    return table("Pixels by difference", columns, rows)
