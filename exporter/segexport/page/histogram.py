"""How many pixels are how far apart, for every file: lines over a logarithmic scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from segexport.page.figures import counted, difference, fixed, power_of_ten
from segexport.page.loose import brief
from segexport.page.markup import Html, joined, tag
from segexport.page.section import Section
from segexport.page.spread import BINS, EDGES, LOWEST_DECADE, PER_DECADE
from segexport.page.tables import Column, folded, scrolling, table
from segexport.page.views import Counts, Evidence
from segexport.report import FileRow

_WIDTH, _HEIGHT = 760, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 12, 46
_STYLES = 6  # in style.css


def histogram_section(rows: Sequence[FileRow], evidence: Evidence) -> Section | None:
    spreads = {row.precision: evidence.spreads[row.precision] for row in rows if row.precision in evidence.spreads}
    if not spreads or not any(counts.sum() for counts in spreads.values()):
        return None
    pixels = int(next(iter(spreads.values())).sum())
    chart = scrolling("Histogram of differences", _chart(spreads))
    return Section(
        key="differences",
        title="How far apart the probabilities are",
        lead=f"Every pixel of the {counted(evidence.pictures, 'stored picture')}, {pixels:,} for each file. Both scales are "
        "logarithmic: a step to the right is a larger difference, a step down means far fewer pixels.",
        content=joined((_legend(rows, spreads), chart, folded("The counts as a table", _counts(spreads)))),
    )


def _legend(rows: Sequence[FileRow], spreads: Mapping[str, Counts]) -> Html:
    largest = {row.precision: row.max_difference for row in rows}
    items = (
        tag("li", _swatch(index), f"{brief(name)}, largest {difference(largest[name])} on all pictures")
        for index, name in enumerate(spreads)
    )
    return tag("ul", joined(items), class_="legend")


def _swatch(index: int) -> Html:
    line = tag("line", x1=0, y1=5, x2=28, y2=5, class_=f"line s{index % _STYLES}")
    return tag("svg", line, width=28, height=10, viewBox="0 0 28 10", aria_hidden="true")


def _chart(spreads: Mapping[str, Counts]) -> Html:
    decades = max(1, int(np.ceil(np.log10(max(int(counts.max()) for counts in spreads.values()) + 1))))
    lines = (_line(counts, decades, index) for index, counts in enumerate(spreads.values()))
    return tag(
        "svg",
        tag("title", f"Histogram of differences for {', '.join(brief(name) for name in spreads)}"),
        _grid(decades),
        *lines,
        *(_tip(spreads, k) for k in range(BINS)),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        class_="chart",
        role="img",
        aria_label="Histogram of differences; the same counts stand in the table below",
    )


def _x(edge: float) -> float:
    """Bin edge 0 to BINS → pixels."""
    return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * edge / BINS, 1)


def _y(count: float, decades: int) -> float:
    """A count on a scale from 1 to 10^decades; none is the bottom."""
    share = np.log10(max(count, 1.0)) / decades
    return round(_HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * float(share), 1)


def _line(counts: Counts, decades: int, index: int) -> Html:
    heights = [_y(float(count), decades) for count in counts]
    steps = " ".join(f"V{height}H{_x(k + 1)}" for k, height in enumerate(heights))
    bottom = _y(0, decades)
    return tag("path", d=f"M{_x(0)} {bottom}{steps}V{bottom}", class_=f"line s{index % _STYLES}")


def _grid(decades: int) -> Html:
    bottom, right = _y(0, decades), _x(BINS)
    across = [
        (tag("line", x1=_LEFT, x2=right, y1=y, y2=y, class_="grid"), y, k)
        for k in range(decades + 1)
        for y in [_y(10.0**k, decades)]
    ]
    labels = [tag("text", power_of_ten(k) if k else "1", x=_LEFT - 8, y=y + 4, text_anchor="end") for _, y, k in across]
    return joined((*(line for line, _, _ in across), *labels, *_decades(bottom), *_titles(bottom)))


def _decades(bottom: float) -> list[Html]:
    marks = []
    for k in range(-LOWEST_DECADE + 1):
        x = _x(1 + k * PER_DECADE)
        exponent = LOWEST_DECADE + k
        marks.append(tag("line", x1=x, x2=x, y1=_TOP, y2=bottom + 4, class_="grid"))
        marks.append(tag("text", power_of_ten(exponent) if exponent else "1", x=x, y=bottom + 18, text_anchor="middle"))
    return marks


def _titles(bottom: float) -> tuple[Html, Html]:
    middle = (_TOP + bottom) / 2
    across = tag(
        "text",
        "|PyTorch − file|, difference of the probability",
        x=(_LEFT + _WIDTH) / 2,
        y=_HEIGHT - 6,
        text_anchor="middle",
    )
    up = tag("text", "pixels", x=14, y=middle, text_anchor="middle", transform=f"rotate(-90 14 {middle})")
    return across, up


def _tip(spreads: Mapping[str, Counts], k: int) -> Html:
    counts = "\n".join(f"{brief(name)}: {int(count[k]):,}" for name, count in spreads.items())
    text = tag("title", f"{_between(k)}\n{counts}")
    return tag(
        "rect", text, x=_x(k), y=_TOP, width=round(_x(k + 1) - _x(k), 1), height=_HEIGHT - _TOP - _BOTTOM, class_="tip"
    )


def _between(k: int) -> str:
    return f"below {difference(EDGES[0])}" if k == 0 else f"{difference(EDGES[k - 1])} to {difference(EDGES[k])}"


def _counts(spreads: Mapping[str, Counts]) -> Html:
    columns = (Column("Difference", words=True), *(Column(brief(name)) for name in spreads))
    rows = ([_between(k), *(fixed(int(counts[k]), 0) for counts in spreads.values())] for k in range(BINS))
    return table("Pixels by difference", columns, rows)
