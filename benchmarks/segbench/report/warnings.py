"""What a reader has to know before trusting the numbers of one machine."""

from __future__ import annotations

from collections.abc import Iterable

from segbench.plots.sources import Bench, Source
from segbench.report.values import said
from segbench.results.latency import LatencyResult
from segbench.results.sustained import SustainedResult
from segruntime.html_page.render import counted

_BUSY = 0.5  # load average: on a quiet machine it is near 0


def find_warnings(bench: Bench) -> list[str]:
    """Each once, in the order of the files."""
    found = [text for source in bench.latency for text in _of_latency(source)]
    found += [text for source in bench.sustained for text in _of_sustained(source)]
    return list(dict.fromkeys(found))


def _of_latency(source: Source[LatencyResult]) -> list[str]:
    result, found = source.result, []
    if result.interrupted:
        found.append(f"{source.name} was interrupted: it holds what was measured until then.")
    load = result.header.machine.load_average_1min
    if load is not None and load > _BUSY:
        found.append(f"{source.name}: the machine was busy before it was measured, with a load of {load:.2f}.")
    return [*found, *_unsteady(source), *_of_processes(source), *_throttled(source)]


def _unsteady(source: Source[LatencyResult]) -> Iterable[str]:
    configurations = source.result.configurations
    unsteady = [one for one in configurations if one.stability["whole"].verdict != "steady"]
    for verdict in dict.fromkeys(one.stability["whole"].verdict for one in unsteady):
        these = [one for one in unsteady if one.stability["whole"].verdict == verdict]
        worst = max(these, key=lambda one: abs(one.stability["whole"].drift))
        one = len(these) == 1
        phrase = (
            f"{'has' if one else 'have'} {verdict}"
            if verdict == "too few values"
            else f"{'is' if one else 'are'} {verdict}"
        )
        which = f"{len(these)} of {counted(len(configurations), 'configuration')} {phrase}"
        yield f"{source.name}: {which}; {worst.name}: {worst.stability['whole'].words.partition(': ')[2]}."


def _of_processes(source: Source[LatencyResult]) -> Iterable[str]:
    """What the measuring processes said, with how many configurations said it."""
    configurations = source.result.configurations
    said_by: dict[str, list[str]] = {}
    for one in configurations:
        for text in dict.fromkeys(text for process in one.processes for text in process.warnings):
            said_by.setdefault(text, []).append(one.name)
    for text, names in said_by.items():
        who = "" if len(names) == len(configurations) else f" ({names[0]}{_more(len(names) - 1)})"
        yield f"{source.name}: {text}{who}."


def _throttled(source: Source[LatencyResult]) -> Iterable[str]:
    after = source.result.header.machine.sensors_after
    flags = said(after and after.throttle_flags)
    if flags or (after is not None and after.throttled):
        yield f"{source.name}: the clock was held down when it had been measured{f': {flags}' if flags else ''}."


def _of_sustained(source: Source[SustainedResult]) -> list[str]:
    result = source.result
    ended = [f"{source.name} was interrupted in minute {len(result.minutes)}."] if result.interrupted else []
    held = sum(1 for one in result.minutes if one.throttled)
    slowed = [f"{source.name}: the clock was held down in {counted(held, 'minute')}."] if held else []
    return [*ended, *slowed, *(f"{source.name}: {text}." for text in result.warnings)]


def _more(count: int) -> str:
    return f" and {count} more" if count else ""
