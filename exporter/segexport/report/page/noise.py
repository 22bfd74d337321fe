"""Signal-to-noise of every operator of a quantized file, in order of execution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from segexport.report.page.figures import counted, fixed
from segexport.report.page.lenient import brief, entries, mapping, number
from segexport.report.page.markup import Html, joined, tag
from segexport.report.page.section import Section
from segexport.report.page.tables import Column, folded, table

_ALL_AT_ONCE = 16
_LOWEST = 8
_FULL_DB = 60.0
_COLUMNS = (
    Column("No."),
    Column("Operator", words=True),
    Column("Signal to noise", words=True),
    Column("dB"),
    Column("Among the lowest", words=True),
    Column("Name", words=True),
)
Operator = Mapping[str, Any]


def noise_section(body: Mapping[str, Any]) -> Section | None:
    noise = mapping(body.get("noise"))
    operators = entries(noise.get("operators"))
    if not operators:
        return None
    precision = brief(noise.get("precision")) or "the quantized file"
    return Section(
        key="noise",
        title=f"Where {precision} loses precision",
        lead=f"{_pictures(noise)}Each operator's output against float32, in decibels: 20 dB is an error of a tenth of the "
        "signal, 40 dB of a hundredth. An operator passes its error on, so look for where the level drops, too.",
        content=_bars(operators),
    )


def lowest(operators: Sequence[Operator], most: int) -> set[int]:
    """Positions of the operators with the least signal to noise."""
    levels = [(level, k) for k, one in enumerate(operators) if (level := number(one.get("snr_db"))) is not None]
    return {k for _, k in sorted(levels)[:most]}


def _pictures(noise: Mapping[str, Any]) -> str:
    count = number(noise.get("pictures"))
    return "" if count is None else f"Measured on {counted(int(count), 'picture')}. "


def _bars(operators: Sequence[Operator]) -> Html:
    few = len(operators) <= _ALL_AT_ONCE
    marked = lowest(operators, min(_LOWEST, max(1, len(operators) // 3)))
    everything = _table("All operators, in order of execution", operators, range(len(operators)), marked)
    if few:
        return joined((_strip(operators, marked), everything))
    short = _table("The operators with the lowest level", operators, sorted(marked), marked)
    title = tag("h3", f"The {counted(len(marked), 'lowest', 'lowest')}, in order of execution")
    return joined(
        (_strip(operators, marked), title, short, folded(f"All {counted(len(operators), 'operator')}", everything))
    )


def _strip(operators: Sequence[Operator], marked: set[int]) -> Html:
    """All operators side by side: where along the network the level falls."""
    columns = (_column(one, k, k in marked) for k, one in enumerate(operators))
    drawn = tag(
        "svg",
        *(tag("line", x1=0, x2=len(operators), y1=y, y2=y, class_="grid") for y in (0, 20, 40, 60)),
        *columns,
        viewBox=f"0 0 {len(operators)} {_FULL_DB:g}",
        preserveAspectRatio="none",
        role="img",
        aria_label="Signal to noise of all operators in order of execution; the numbers stand in the table below",
    )
    scale = tag(
        "div", *(tag("span", label) for label in ("60 dB", "40", "20", "0")), class_="decibels", aria_hidden="true"
    )
    ends = tag("p", tag("span", "first operator"), tag("span", "last operator"), class_="ends", aria_hidden="true")
    return tag("div", scale, tag("div", drawn, ends, class_="strip"), class_="overview")


def _column(one: Operator, k: int, marked: bool) -> Html:
    height = _shown(one)
    text = tag(
        "title", f"{_number(one, k)} {brief(one.get('operator'))} {_name(one)}: {fixed(one.get('snr_db'), 1)} dB"
    )
    return tag(
        "rect",
        text,
        x=k + 0.1,
        y=round(_FULL_DB - height, 2),
        width=0.8,
        height=round(height, 2),
        class_="low" if marked else None,
    )


def _table(label: str, operators: Sequence[Operator], chosen: Sequence[int], marked: set[int]) -> Html:
    rows = [_cells(operators[k], k, k in marked) for k in chosen]
    return tag("div", table(label, _COLUMNS, rows), class_="bars")


def _cells(one: Operator, k: int, marked: bool) -> list[str]:
    full = brief(one.get("name"), 400)
    bar = tag("rect", width=round(_shown(one) / _FULL_DB * 100, 1), height=1, class_="low" if marked else None)
    drawn = tag("svg", bar, viewBox="0 0 100 1", preserveAspectRatio="none", aria_hidden="true")
    return [
        _number(one, k),
        brief(one.get("operator")),
        drawn,
        fixed(one.get("snr_db"), 1),
        tag("span", "low", class_="bad") if marked else "",
        tag("span", _name(one), title=full),
    ]


def _shown(one: Operator) -> float:
    return min(_FULL_DB, max(0.3, number(one.get("snr_db")) or 0.0))


def _number(one: Operator, k: int) -> str:
    index = number(one.get("index"))
    return str(k if index is None else int(index))


def _name(one: Operator) -> str:
    """The last three parts of the first of the names that a converter joined with semicolons."""
    first = brief(one.get("name"), 2000).split(";")[0].strip("/")
    return brief("/".join(first.split("/")[-3:]), 60)
