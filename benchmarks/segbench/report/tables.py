"""Tables that scroll in a box of their own where a screen is narrow, lists of facts, and what is folded away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from segbench.report.markup import Markup, element, together


def table(label: str, columns: Sequence[str], rows: Iterable[Sequence[str]], words: Sequence[str] = ()) -> Markup:
    """The first column names its row. Columns are of numbers, flush right, but the first and those in `words`."""
    kinds = ["words" if k == 0 or title in words else None for k, title in enumerate(columns)]
    head = (element("th", title, scope="col", class_=kind) for title, kind in zip(columns, kinds, strict=True))
    body = (_row(cells, kinds) for cells in rows)
    made = element("table", element("thead", element("tr", *head)), element("tbody", *body))
    return scrolling(label, made)


def scrolling(label: str, content: str) -> Markup:
    """A box that scrolls sideways, with the keyboard too."""
    return element("div", content, class_="scroll", role="region", aria_label=label, tabindex="0")


def folded(summary: str, *content: str) -> Markup:
    return element("details", element("summary", summary), *content)


def facts(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Terms and what they are, but for those of which nothing is known."""
    listed = [element("div", element("dt", term), element("dd", value)) for term, value in pairs if value]
    return element("dl", *listed) if listed else together(())


def named(name: str, about: str) -> Markup:
    """A name, and below it in small print what it is."""
    return element("span", name, element("small", about))


def _row(cells: Sequence[str], kinds: Sequence[str | None]) -> Markup:
    first = element("th", cells[0], scope="row", class_=kinds[0])
    rest = (element("td", cell, class_=kind) for cell, kind in zip(cells[1:], kinds[1:], strict=True))
    return element("tr", first, *rest)
