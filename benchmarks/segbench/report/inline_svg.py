"""A plot within the page: its colours and letters are the page's, so that it turns dark with it."""

from __future__ import annotations

import re

from segbench.plots import Plot, picture
from segbench.plots.palette import PAGE_NAMES
from segbench.report.markup import Markup, element, trusted
from segbench.report.tables import scrolling


def figure_of(plot: Plot, key: str) -> Markup:
    """The plot as a figure; `key` is its own in the page, for its names within must not meet those of another plot."""
    drawn = scrolling(plot.about, trusted(inline_svg(picture(plot, ".svg").decode("utf-8"), key, plot.about)))
    return element("figure", drawn, element("figcaption", f"{plot.about}."))


def inline_svg(svg: str, key: str, about: str) -> str:
    """matplotlib's file without its head, its style sheet (which would hold for the whole page), its fonts and its ground."""
    body = re.sub(r"<style.*?</style>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    start, rest = body.split(">", 1)
    view = re.search(r'viewBox="[\d. ]*"', start)
    # tags only: what stands between them are names from files, in which matplotlib has escaped < and >
    rest = re.sub(r"<[^<>]*>", lambda tag: _dressed(tag[0], key), rest)
    box = view[0] if view else ""
    return f'<svg {box} class="plot" role="img">{element("title", about)}{rest}'


def _dressed(tag: str, key: str) -> str:
    named = re.sub(r'(?<= id=")|(?<=href="#)|(?<=url\(#)', f"{key}-", tag)
    return re.sub(r'(?<= style=")[^"]*', lambda style: _in_page_colours(style[0]), named)


def _in_page_colours(style: str) -> str:
    found = re.sub(r"font-family: [^;]*", "", style)
    found = re.sub(r"(font: [^;']*?[\d.]+px) [^;]*", r"\1 var(--letters)", found)
    found = found.replace("#ffffff", "none")
    for colour, name in PAGE_NAMES.items():
        found = found.replace(colour, f"var({name})")
    return found
