"""Tables that scroll in a box of their own, numbers flush right, the first column a heading of its row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from segexport.report.page.markup import NOTHING, Html, joined, tag


@dataclass(frozen=True, slots=True)
class Column:
    """What stands above a column, and whether it holds words; numbers are flush right."""

    title: str
    words: bool = False


def table(
    label: str,
    columns: Sequence[Column],
    rows: Iterable[Sequence[str]],
    *,
    marked: Iterable[int] = (),
) -> Html:
    """A table under the accessible name `label`; rows whose index is in `marked` stand out."""
    chosen = set(marked)
    head = tag("thead", tag("tr", *(_head(column) for column in columns)))
    body = tag("tbody", *(_row(columns, row, index in chosen) for index, row in enumerate(rows)))
    return scrolling(label, tag("table", head, body))


def scrolling(label: str, content: Html) -> Html:
    """A box that scrolls sideways, reachable by keyboard."""
    return tag("div", content, class_="scroll", role="region", aria_label=label, tabindex="0")


def folded(summary: str, *content: str, class_: str | None = None) -> Html:
    return tag("details", tag("summary", summary), *content, class_=class_)


def layers(names: Sequence[str]) -> str:
    """How many, and which on demand."""
    if not names:
        return "0"
    return folded(str(len(names)), tag("ul", *(tag("li", name) for name in names)), class_="layers")


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """A list of terms and what they are; a term without a value is left out."""
    listed = joined(tag("div", tag("dt", term), tag("dd", value)) for term, value in pairs if value)
    return tag("dl", listed) if listed else NOTHING


def _head(column: Column) -> Html:
    return tag("th", column.title, scope="col", class_=_kind(column))


def _row(columns: Sequence[Column], cells: Sequence[str], marked: bool) -> Html:
    first = tag("th", cells[0], scope="row", class_=_kind(columns[0]))
    rest = (tag("td", cell, class_=_kind(column)) for column, cell in zip(columns[1:], cells[1:], strict=True))
    return tag("tr", first, *rest, class_="marked" if marked else None)


def _kind(column: Column) -> str | None:
    return "words" if column.words else None
