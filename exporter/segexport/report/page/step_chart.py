"""Counts in logarithmic bins as stepped lines: SVG that takes its colours from the page's style."""

from __future__ import annotations

import math
from collections.abc import Mapping

from segexport.report.page.figures import power_of_ten
from segexport.report.page.lenient import brief
from segexport.report.page.markup import Html, joined, tag
from segexport.report.page.spread import BINS, LOWEST_DECADE, PER_DECADE, between
from segexport.report.page.views import Counts

_WIDTH, _HEIGHT = 900, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 12, 272
_STYLES = 6  # in style.css
_BELOW_ONE = 0.6  # decades between no pixel and one pixel, which a logarithm cannot place
_ABOVE = 0.15  # decades of air over the highest count


def step_chart(spreads: Mapping[str, Counts]) -> Html:
    """One line for each name; a bin's counts are shown where the pointer rests on it."""
    decades = math.log10(max(10, *(int(counts.max()) for counts in spreads.values())))
    lines = (_line(counts, decades, index) for index, counts in enumerate(spreads.values()))
    return tag(
        "svg",
        *_levels(decades),
        *_decades(),
        *_titles(),
        *lines,
        *(_tip(spreads, k) for k in range(BINS)),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        class_="chart",
        role="img",
        aria_label=f"Histogram of differences for {', '.join(brief(name) for name in spreads)}; the counts stand below",
    )


def style_of(index: int) -> str:
    """Colour and dashes of the line at this place."""
    return f"line s{index % _STYLES}"


def _x(edge: float) -> float:
    """Bin edge 0 to BINS → pixels."""
    return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * edge / BINS, 1)


def _y(count: float, decades: float) -> float:
    """A count → pixels, on a scale from 1 to 10^decades; none is the bottom."""
    if count < 1:
        return _BOTTOM
    share = (_BELOW_ONE + math.log10(count)) / (_BELOW_ONE + decades + _ABOVE)
    return round(_BOTTOM - (_BOTTOM - _TOP) * share, 1)


def _line(counts: Counts, decades: float, index: int) -> Html:
    steps = "".join(f"V{_y(float(count), decades)}H{_x(k + 1)}" for k, count in enumerate(counts))
    return tag("path", d=f"M{_x(0)} {_BOTTOM}{steps}V{_BOTTOM}", class_=style_of(index))


def _levels(decades: float) -> list[Html]:
    marks = [
        ("0", float(_BOTTOM)),
        *((_power(k), _y(10.0**k, decades)) for k in range(math.floor(decades + _ABOVE) + 1)),
    ]
    return [
        joined(
            (
                tag("line", x1=_LEFT, x2=_x(BINS), y1=y, y2=y, class_="grid"),
                tag("text", label, x=_LEFT - 8, y=round(y + 4, 1), text_anchor="end"),
            )
        )
        for label, y in marks
    ]


def _decades() -> list[Html]:
    marks = [(_power(LOWEST_DECADE + k), _x(1 + k * PER_DECADE)) for k in range(-LOWEST_DECADE + 1)]
    return [
        joined(
            (
                tag("line", x1=x, x2=x, y1=_TOP, y2=_BOTTOM + 4, class_="grid"),
                tag("text", label, x=x, y=_BOTTOM + 20, text_anchor="middle"),
            )
        )
        for label, x in marks
    ]


def _power(exponent: int) -> str:
    return power_of_ten(exponent) if exponent else "1"


def _titles() -> tuple[Html, Html]:
    what, middle = "|PyTorch − file|, difference of the probability", (_TOP + _BOTTOM) / 2
    across = tag("text", what, x=(_LEFT + _WIDTH) / 2, y=_HEIGHT - 6, text_anchor="middle")
    up = tag("text", "pixels", x=14, y=middle, text_anchor="middle", transform=f"rotate(-90 14 {middle})")
    return across, up


def _tip(spreads: Mapping[str, Counts], k: int) -> Html:
    counts = "\n".join(f"{brief(name)}: {int(count[k]):,}" for name, count in spreads.items())
    text = tag("title", f"{between(k)}\n{counts}")
    width = round(_x(k + 1) - _x(k), 1)
    return tag("rect", text, x=_x(k), y=_TOP, width=width, height=_BOTTOM - _TOP, class_="tip")
