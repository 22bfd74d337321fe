"""One machine: its numbers in a few words, its warnings, its tables and plots."""

from __future__ import annotations

from segbench.plots.distribution import number
from segbench.plots.gallery import latency_plots, pareto_plots
from segbench.plots.pareto_front import fields_of, pareto_front
from segbench.plots.sources import Bench, Source
from segbench.plots.sustained import sustained_plot
from segbench.report.comparison import beside_section
from segbench.report.configurations import Exact, configurations_table
from segbench.report.inline_svg import figure_of
from segbench.report.markup import Markup, element, together
from segbench.report.origin import origin_of
from segbench.report.tables import facts, folded, table
from segbench.report.values import counted, said
from segbench.report.warnings import worries, worries_box
from segbench.results.accuracy import AccuracyResult
from segbench.results.latency import Configuration, LatencyResult
from segbench.results.sustained import SustainedResult
from segbench.sustained.table import cells, headline, in_words, legend

_MINUTES = ("minute", "n", "p50, ms", "p90, ms", "°C", "MHz", "throttled", "others, cores")


def machine_section(bench: Bench, key: str, accuracy: list[Source[AccuracyResult]], exact: Exact) -> Markup:
    """`key`: the section's own in the page; `accuracy`: of all machines."""
    parts = [
        element("h2", bench.machine.cpu, id=f"{key}-title"),
        _headlines(bench),
        facts(_facts(bench)),
        worries_box(worries(bench)),
        *(_latency(source, f"{key}-{k}", exact) for k, source in enumerate(bench.latency)),
        _pareto(bench, key, accuracy),
        *(_sustained(source, f"{key}-s{k}") for k, source in enumerate(bench.sustained)),
        origin_of(bench),
    ]
    return element("section", together(parts), id=key, aria_labelledby=f"{key}-title")


def _headlines(bench: Bench) -> Markup:
    """The fastest for each frame's size, and how the sustained measurements ended."""
    best: dict[str, Configuration] = {}
    for source in bench.latency:
        for one in source.result.configurations:
            frame = one.subject.frame.size
            if frame not in best or _p50(one) < _p50(best[frame]):
                best[frame] = one
    lines = [
        together(
            [
                f"Fastest at {frame}: ",
                element("strong", one.name),
                f", {number(_p50(one))} ms at p50, {one.frames_per_second:.0f} frames/s; values are "
                f"{one.stability['whole'].verdict}.",
            ]
        )
        for frame, one in best.items()
    ]
    lines += [
        together([element("strong", slow.result.subject.model.name), f", sustained: {in_words(slow.result)}."])
        for slow in bench.sustained
    ]
    return element("ul", *(element("li", line) for line in lines), class_="headline") if lines else together(())


def _facts(bench: Bench) -> list[tuple[str, str]]:
    machine = bench.machine
    heat = [said(one and one.temperature_c) for one in (machine.sensors_before, machine.sensors_after)]
    return [
        ("Cores", f"{machine.cores}, {machine.logical_cores} logical"),
        ("Instructions for int8", said(machine.int8_flags)),
        ("Memory", f"{machine.memory_bytes / 1e9:.1f} GB"),
        ("System", f"{machine.system}, {machine.architecture}"),
        ("Temperature before and after, °C", " and ".join(heat) if all(heat) else ""),
        ("Governor", said(machine.governor)),
    ]


def _latency(source: Source[LatencyResult], key: str, exact: Exact) -> Markup:
    result, plots = source.result, latency_plots(source)
    (distribution, _), others = plots[0], plots[1:]
    figures = [figure_of(plot, f"{key}-{plot.kind}") for plot, _ in others]
    lead = (
        f"{source.name}, {result.header.measured_at}. From the frame to the composite; p50, p90 and p99 are over the values "
        "of all processes."
    )
    parts = [
        element("h3", f"Latency of {counted(len(result.configurations), 'configuration')}"),
        element("p", lead, class_="lead"),
        configurations_table(result, exact),
        figure_of(distribution, f"{key}-{distribution.kind}"),
        beside_section(result),
        *([element("h4", "Stage by stage"), *figures] if figures else []),
    ]
    return together(parts)


def _pareto(bench: Bench, key: str, accuracy: list[Source[AccuracyResult]]) -> Markup:
    drawn = pareto_plots(bench, accuracy)
    if not drawn:
        return together(())
    lines = []
    for field in fields_of(bench.latency, accuracy):
        names = ", ".join(dict.fromkeys(point.name for point in pareto_front(field.points)))
        lines.append(element("li", f"{field.frame}: {names}"))
    lead = "On the front, so that no other is at least as fast and at least as exact, and better in one of the two:"
    several = element("p", "The runs are of different times: what the machine did meanwhile counts as a difference.")
    return together(
        [
            element("h3", "Accuracy against latency"),
            element("p", lead, class_="lead"),
            element("ul", *lines),
            *([several] if len(bench.latency) > 1 else []),
            *(figure_of(plot, f"{key}-{plot.kind}") for plot, _ in drawn),
        ]
    )


def _sustained(source: Source[SustainedResult], key: str) -> Markup:
    result = source.result
    rows = [list(cells(one)) for one in result.minutes]
    about = element("p", f"{source.name}, {result.header.measured_at}. {headline(result)[0]}.", class_="lead")
    return together(
        [
            element("h3", f"Sustained: {in_words(result)}"),
            about,
            figure_of(sustained_plot(result), key),
            folded("The minutes as a table", table("Minutes", _MINUTES, rows), element("p", f"{legend(result)}.")),
        ]
    )


def _p50(one: Configuration) -> float:
    return one.stages["whole"].p50_ms
