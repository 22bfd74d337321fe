"""Results of any number of files → one page that asks nothing of any other file or machine."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path

from segbench.plots import Plot, gallery, pareto_front, picture
from segbench.plots.distribution import number
from segbench.plots.palette import PAGE_NAMES
from segbench.plots.sources import AnySource, Bench, Source, by_machine, of_kind
from segbench.plots.sustained import sustained_plot
from segbench.report import values
from segbench.report.comparison import compared_with_first
from segbench.report.warnings import find_warnings
from segbench.results.accuracy import AccuracyResult
from segbench.sustained.table import cells, headline, in_words, legend
from segruntime.html_page.render import counted, render


def build_page(sources: Sequence[AnySource]) -> str:
    """Of at least one file, as `read_sources` gives them. The same files give the same page.

    Every machine has a section of its own, and nothing of one stands in a ratio with anything of another.
    """
    every = by_machine(sources)
    benches = [bench for bench in every if bench.latency or bench.sustained]
    accuracy = of_kind(sources, AccuracyResult)
    unpaired = pareto_front.without_partner([source for bench in benches for source in bench.latency], accuracy)
    return render(
        Path(__file__).parent,
        _FILTERS,
        title=_title(benches or every, accuracy),
        sources=sources,
        benches=benches,
        accuracy=accuracy,
        exact=values.mean_ious(accuracy),
        unpaired=[f"Not in accuracy against latency: {text}." for text in unpaired],
    )


def _title(benches: list[Bench], accuracy: Sequence[Source[AccuracyResult]]) -> str:
    count = sum(len(source.result.configurations) for bench in benches for source in bench.latency)
    minutes = [source for bench in benches for source in bench.sustained]
    parts = [
        counted(count, "configuration") if count else "",
        counted(len(minutes), "sustained measurement") if minutes else "",
        f"the accuracy of {counted(len(accuracy), 'model')}" if accuracy and not count and not minutes else "",
    ]
    what = " and ".join(filter(None, parts))
    return f"{what} on {benches[0].machine.cpu if len(benches) == 1 else counted(len(benches), 'machine')}"


def inline_svg(plot: Plot, key: str) -> str:
    """A plot that turns dark with the page. `key` is its own there: names within must not meet those of another plot.

    It is matplotlib's file without its head, its style sheet (which would hold for the whole page), fonts and ground.
    """
    svg = picture(plot, ".svg").decode("utf-8")
    body = re.sub(r"<style.*?</style>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    start, rest = body.split(">", 1)
    view = re.search(r'viewBox="[\d. ]*"', start)
    # tags only: what stands between them are names from files, in which matplotlib has escaped < and >
    rest = re.sub(r"<[^<>]*>", lambda tag: _dressed(tag[0], key), rest)
    box = view[0] if view else ""
    return f'<svg {box} class="plot" role="img"><title>{html.escape(plot.about)}</title>{rest}'


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


_FILTERS = (
    *(values.about, values.configuration_rows, values.fastest, values.hundredths, values.in_full, values.in_order),
    *(values.in_short, values.letter, values.lowest, values.models, values.settings, values.versions),
    *(compared_with_first, cells, headline, in_words, inline_svg, legend, number, sustained_plot, find_warnings),
    *(gallery.latency_plots, gallery.pareto_plots, pareto_front.fields_of, pareto_front.pareto_front),
)
