"""All plots that results allow."""

from __future__ import annotations

from segbench.plots.canvas import Plot
from segbench.plots.distribution import distribution_plot
from segbench.plots.medians import medians_plot
from segbench.plots.pareto import pareto_plot
from segbench.plots.pareto_front import fields_of
from segbench.plots.sources import AnySource, Bench, Source
from segbench.plots.stages import stages_of, stages_plot
from segbench.plots.sustained import sustained_plot
from segbench.results.accuracy import AccuracyResult
from segbench.results.latency import LatencyResult

Drawn = tuple[Plot, list[AnySource]]


def latency_plots(source: Source[LatencyResult]) -> list[Drawn]:
    """Distribution, stages and medians of one latency result."""
    made = [distribution_plot(source.result)]
    if stages_of(source.result):
        made += [stages_plot(source.result), medians_plot(source.result)]
    return [(plot, [source]) for plot in made]


def pareto_plots(bench: Bench, accuracy: list[Source[AccuracyResult]]) -> list[Drawn]:
    """Accuracy against latency of one machine, where a configuration has both; masks may come from another machine."""
    fields = fields_of(bench.latency, accuracy)
    return [(pareto_plot(fields), [*bench.latency, *accuracy])] if fields else []


def sustained_plots(bench: Bench) -> list[Drawn]:
    return [(sustained_plot(source.result), [source]) for source in bench.sustained]


def all_plots(benches: list[Bench]) -> list[Drawn]:
    """Machine after machine."""
    accuracy = [source for bench in benches for source in bench.accuracy]
    return [
        drawn
        for bench in benches
        for drawn in (
            *(one for source in bench.latency for one in latency_plots(source)),
            *pareto_plots(bench, accuracy),
            *sustained_plots(bench),
        )
    ]
