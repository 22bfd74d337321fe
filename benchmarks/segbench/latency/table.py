"""Latency for people: one configuration stage by stage, or several side by side; at most 100 columns."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from segbench.machine.describe import Machine
from segbench.results.latency import Configuration, LatencyResult, Settings

if TYPE_CHECKING:
    from rich.table import Table

LABELS = {
    "decode": "decode",
    "preprocess": "preprocess",
    "invoke": "invoke",
    "postprocess": "postprocess",
    "refine": "refine",
    "alpha": "frame → alpha",
    "composite": "composite",
    "whole": "whole",
}
WIDTH = 100
_COLUMNS = ("p50", "p90", "p99", "mean", "std", "min")
_SHORT = {"decode": "dec", "preprocess": "pre", "invoke": "invoke", "postprocess": "post", "refine": "refine"}


def print_table(result: LatencyResult) -> None:
    """The table on standard output, between what was measured and what is not a stage."""
    from rich.console import Console

    console = Console(highlight=False)
    console.width = min(WIDTH, console.width) if console.is_terminal else WIDTH
    configurations = result.configurations
    one = configurations[0]
    lines = [] if len(configurations) > 1 else [headline(one)]
    for line in (*lines, machine_line(result.header.machine), settings_line(result.settings)):
        console.print(line, markup=False)
    for table in (
        [_stages_of(one)] if len(configurations) == 1 else [_side_by_side(configurations), _starts(configurations)]
    ):
        console.print(table)
    for line in footlines(configurations):
        console.print(line, markup=False)


def headline(configuration: Configuration) -> str:
    """Model, library and frame."""
    one = configuration.subject
    preset = f", preset {one.preset}" if one.preset else ""
    return (
        f"{one.model.name}: {one.model.precision}, {one.model.size_bytes / 1e6:.2f} MB, "
        f"{one.library}, {one.threads} thread{'s' if one.threads > 1 else ''}, "
        f"{one.frame.size} ({one.frame.source}){preset}"
    )


def machine_line(machine: Machine) -> str:
    """Processor, system, and how busy it was before."""
    load = machine.load_average_1min
    busy = "" if load is None else f", load {load:.2f}"
    return f"{machine.cpu}, {machine.cores} cores, {machine.system}{busy}"


def settings_line(settings: Settings) -> str:
    """How much was measured, and how."""
    pace, effort = "" if settings.rate is None else f", {settings.rate:g} frames/s as from a camera", settings.effort
    return (
        f"{_count(effort.processes, 'fresh process')} for each configuration, at least {effort.runs} rounds and "
        f"{effort.seconds:g} s{pace}; order by seed {settings.seed}"
    )


def footlines(configurations: Sequence[Configuration]) -> list[str]:
    """Speed, start and memory of a single one; then what the steadiness says of those that are not steady."""
    several = len(configurations) > 1
    lines = [] if several else [start_line(configurations[0])]
    for one in configurations:
        steadiness = one.stability["whole"]
        if steadiness.verdict != "steady":
            lines.append(f"{one.name if several else 'the whole'} is {steadiness.words}")
    return lines


def start_line(configuration: Configuration) -> str:
    """What is not a stage, in one line."""
    found = start_cells(configuration)
    text = (
        f"{found['frames/s']} frames/s at p50; import {found['import ms']} ms, load {found['load ms']} ms, first mask "
        f"{found['first mask ms']} ms, memory {found['MB']} MB, {found['MB over base']} MB over the baseline"
    )
    return f"{text}, {found['late']} frames late" if "late" in found else text


def start_cells(configuration: Configuration) -> dict[str, str]:
    """What is not a stage: medians over the processes, of memory the largest; `late` only at a camera's rate."""
    processes = configuration.processes
    over = max(one.peak_memory_bytes - one.baseline_memory_bytes for one in processes)
    late = [one.late_frames for one in processes if one.late_frames is not None]
    cells = {
        "frames/s": f"{configuration.frames_per_second:.0f}",
        "import ms": f"{median(one.import_ms for one in processes):.0f}",
        "load ms": f"{median(one.load_ms for one in processes):.0f}",
        "first mask ms": f"{median(one.first_mask_ms for one in processes):.1f}",
        "MB": f"{max(one.peak_memory_bytes for one in processes) / 1e6:.0f}",
        "MB over base": f"{over / 1e6:.0f}",
    }
    count = configuration.stages["whole"].n
    return {**cells, "late": f"{sum(late)} of {count}"} if late else cells


def _stages_of(configuration: Configuration) -> Table:
    from rich.table import Table

    table = Table()
    table.add_column("ms")
    for name in (*_COLUMNS, "n"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("values are")
    for name, stage in configuration.stages.items():
        cells = [f"{getattr(stage, f'{column}_ms'):.2f}" for column in _COLUMNS]
        style = "bold" if name == "whole" else None
        verdict = configuration.stability[name].verdict
        table.add_row(LABELS[name], *cells, str(stage.n), verdict, style=style)
    return table


def _side_by_side(configurations: Sequence[Configuration]) -> Table:
    """p50 of the stages, p50 and p90 of the whole."""
    from rich.table import Table

    shown = [name for name in LABELS if any(name in one.stages for one in configurations)]
    parts = [name for name in shown if name in _SHORT] + ["composite"]
    table = Table(padding=(0, 0), pad_edge=False)
    table.add_column("p50, ms", overflow="fold")
    for title in (*(_SHORT.get(name, "comp") for name in parts), "whole", "its p90", "n"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("whole is", overflow="fold")
    for one in configurations:
        cells = [_p50(one, name) for name in (*parts, "whole")]
        whole, verdict = one.stages["whole"], one.stability["whole"].verdict
        table.add_row(one.name, *cells, f"{whole.p90_ms:.2f}", str(whole.n), verdict)
    return table


def _starts(configurations: Sequence[Configuration]) -> Table:
    from rich.table import Table

    rows = [start_cells(one) for one in configurations]
    table = Table(padding=(0, 0), pad_edge=False)
    table.add_column("start and memory", overflow="fold")
    for title in rows[0]:
        table.add_column(title, justify="right", no_wrap=True)
    for one, row in zip(configurations, rows, strict=True):
        table.add_row(one.name, *row.values())
    return table


def _p50(configuration: Configuration, stage: str) -> str:
    return f"{configuration.stages[stage].p50_ms:.2f}" if stage in configuration.stages else "–"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 'es'}"
