"""What was rewritten so that it can be converted, and pooling choices that came out otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segexport.report.page.figures import difference, percent, whole
from segexport.report.page.lenient import brief, entries, mapping, number
from segexport.report.page.markup import NOTHING, Html, joined, tag
from segexport.report.page.section import Section
from segexport.report.page.tables import Column, table

_REWRITES = (Column("Rewrite", words=True), Column("Module", words=True), Column("Times"))
_FLIPS = (
    Column("File", words=True),
    Column("Windows"),
    Column("Chose otherwise"),
    Column("Share"),
    Column("Pictures"),
    Column("Largest diff. with PyTorch's choices"),
)


def rewrites_section(body: Mapping[str, Any]) -> Section | None:
    rewrites, flips = entries(body.get("rewrites")), _flips(body)
    if not rewrites and not flips:
        return None
    return Section(
        key="rewrites",
        title="What was rewritten",
        lead="Operators that a converter does not know were put into others with the same result before the conversion.",
        content=joined((_rewrites(rewrites), _choices(flips))),
    )


def _rewrites(rewrites: list[Mapping[str, Any]]) -> Html:
    if not rewrites:
        return NOTHING
    rows = ([brief(one.get("rewrite")), brief(one.get("module")), whole(one.get("count"))] for one in rewrites)
    return table("Rewrites", _REWRITES, rows)


def _flips(body: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    files = ((brief(one.get("precision")), mapping(one.get("flips"))) for one in entries(body.get("files")))
    return [(name, flips) for name, flips in files if flips]


def _choices(flips: list[tuple[str, Mapping[str, Any]]]) -> Html:
    if not flips:
        return NOTHING
    text = (
        "Pooling windows in which the file found its maximum at another place than PyTorch. Where two values are nearly equal, "
        "the smallest rounding decides, and an unpooled value then lands one pixel away. The last column is what remains when "
        "the file is given PyTorch's choices: an error of the conversion would show there."
    )
    rows = [_cells(name, one) for name, one in flips]
    return joined((tag("h3", "Argmax choices"), tag("p", text, class_="lead"), table("Argmax choices", _FLIPS, rows)))


def _cells(name: str, one: Mapping[str, Any]) -> list[str]:
    windows, flipped = number(one.get("windows")), number(one.get("flipped"))
    share = flipped / windows if windows and flipped is not None else None
    return [
        name,
        whole(windows),
        whole(flipped),
        percent(share, 4),
        whole(one.get("pictures")),
        difference(one.get("max_difference_same_choices")),
    ]
