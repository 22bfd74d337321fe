"""Results of any number of files → one page that asks nothing of any other file or machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segbench.plots.pareto_front import without_partner
from segbench.plots.sources import AnySource, Bench, Source, by_machine, of_kind
from segbench.report.exactness import exactness_section, mean_ious
from segbench.report.machine import machine_section
from segbench.report.markup import Markup, element, together, trusted
from segbench.report.values import counted
from segbench.report.warnings import worries_box
from segbench.results.accuracy import AccuracyResult

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = Path(__file__).with_name("style.css")


def build_page(sources: Sequence[AnySource]) -> str:
    """Of at least one file, as `read_sources` gives them. The same files give the same page.

    Every machine has a section of its own, and nothing of one stands in a ratio with anything of another.
    """
    every = by_machine(sources)
    benches = [bench for bench in every if bench.latency or bench.sustained]
    accuracy = of_kind(sources, AccuracyResult)
    exact = mean_ious(accuracy)
    timed = [(f"machine-{k + 1}", bench) for k, bench in enumerate(benches)]
    sections = [machine_section(bench, key, accuracy, exact) for key, bench in timed]
    if accuracy:
        sections.append(exactness_section(accuracy))
    links = [(key, bench.machine.cpu) for key, bench in timed] + [("exact", "Accuracy")] * bool(accuracy)
    title = _title(benches or every, accuracy)
    body = element(
        "body",
        element("main", _header(title, sources, benches, accuracy), _contents(links), *sections),
        element(
            "footer", element("p", "Made by segbench report. This page asks nothing of any other file or machine.")
        ),
    )
    return f"<!DOCTYPE html>\n{element('html', _head(title), body, lang='en')}\n"


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


def _header(
    title: str, sources: Sequence[AnySource], benches: list[Bench], accuracy: Sequence[Source[AccuracyResult]]
) -> Markup:
    unpaired = without_partner([source for bench in benches for source in bench.latency], accuracy)
    names = ", ".join(source.name for source in sources)
    return element(
        "header",
        element("p", "Benchmark report", class_="kicker"),
        element("h1", title),
        element("p", f"From {names}.", class_="lead"),
        worries_box([f"Not in accuracy against latency: {text}." for text in unpaired]),
    )


def _contents(links: Sequence[tuple[str, str]]) -> Markup:
    if len(links) < 2:
        return together(())
    listed = (element("li", element("a", title, href=f"#{key}")) for key, title in links)
    return element("nav", element("ul", *listed), aria_label="Contents")


def _head(title: str) -> Markup:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name_="color-scheme", content="light dark"),
        element("title", f"Benchmark report: {title}"),
        element("link", rel="icon", href="data:,"),
        element("style", trusted(_STYLE.read_text("utf-8"))),
    )
