"""What results hold as texts and rows: machines, configurations, accuracies, and where the numbers come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segbench.latency.table import start_cells
from segbench.machine.describe import Machine
from segbench.machine.model import Library, ModelFile
from segbench.plots.distribution import number
from segbench.plots.sources import AnyResult, AnySource, Bench, Source
from segbench.results.accuracy import AccuracyResult
from segbench.results.latency import Configuration, LatencyResult
from segbench.results.subject import AccuracyKey

Exact = Mapping[AccuracyKey, Sequence[float]]  # the mean IoU on each set of pictures

_MOST_LETTERS = 300
_TIMES = ("p50_ms", "p90_ms", "p99_ms")
_STARTS = ("import ms", "load ms", "first mask ms", "MB", "MB over base")
_MACHINE = ("python", "distribution", "governor", "frequency_max_mhz", "usable_cores", "load_average_1min")


def said(value: object) -> str:
    """A text, number or yes and no; lists of them with commas; nothing of all else. Long ones are cut."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(filter(None, map(said, value[:100])))
    text = f"{value:g}" if isinstance(value, float) else str(value) if isinstance(value, (str, int)) else ""
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"


def hundredths(share: float) -> str:
    return f"{100 * share:.2f}"


def letter(k: int) -> str:
    return chr(ord("A") + k) if k < 26 else str(k + 1)


def in_short(machine: Machine) -> list[tuple[str, str]]:
    heat = [said(one and one.temperature_c) for one in (machine.sensors_before, machine.sensors_after)]
    return [
        ("Cores", f"{machine.cores}, {machine.logical_cores} logical"),
        ("Instructions for int8", said(machine.int8_flags)),
        ("Memory", f"{machine.memory_bytes / 1e9:.1f} GB"),
        ("System", f"{machine.system}, {machine.architecture}"),
        ("Temperature before and after, °C", " and ".join(heat) if all(heat) else ""),
        ("Governor", said(machine.governor)),
    ]


def in_full(machine: Machine) -> list[tuple[str, str]]:
    """What `in_short` leaves out."""
    return [(name.replace("_", " "), said(getattr(machine, name))) for name in _MACHINE]


def fastest(bench: Bench) -> dict[str, Configuration]:
    """For each frame's size."""
    best: dict[str, Configuration] = {}
    for one in (one for source in bench.latency for one in source.result.configurations):
        frame = one.subject.frame.size
        if frame not in best or one.stages["whole"].p50_ms < best[frame].stages["whole"].p50_ms:
            best[frame] = one
    return best


def configuration_rows(result: LatencyResult, exact: Exact) -> list[tuple[Configuration, dict[str, str]]]:
    """In the order in which they were given, each with its cells by column; a column that no row knows is left out."""
    rows = [_cells(one, exact.get(one.subject.accuracy_key, ())) for one in result.configurations]
    columns = [name for name in rows[0] if any(row[name] for row in rows)]
    return [(one, {name: row[name] for name in columns}) for one, row in zip(result.configurations, rows, strict=True)]


def _cells(one: Configuration, ious: Sequence[float]) -> dict[str, str]:
    """By column; "" where it is not known."""
    whole, starts = one.stages["whole"], start_cells(one)
    return {
        **{f"{key[:3]}, ms": number(getattr(whole, key)) for key in _TIMES},
        "n": f"{whole.n:,}",
        "frames/s": starts["frames/s"],
        "late": starts.get("late", ""),
        "IoU, %": ", ".join(map(hundredths, ious)),
        "file, MB": f"{one.subject.model.size_bytes / 1e6:.2f}",
        **{_titled(name): starts[name] for name in _STARTS},
    }


def _titled(name: str) -> str:
    titles = {"MB": "memory, MB", "MB over base": "over baseline, MB"}
    return titles.get(name, name.replace(" ms", ", ms"))


def about(configuration: Configuration) -> str:
    """How it was run, in short."""
    one = configuration.subject
    parts = [
        one.model.precision,
        str(one.library),
        f"{one.threads} thread{'' if one.threads == 1 else 's'}",
        one.frame.size,
        "no preset" if one.preset is None else one.preset,
    ]
    return ", ".join(parts)


def mean_ious(accuracy: Sequence[Source[AccuracyResult]]) -> Exact:
    """The mean IoU of each model, backend and preset; one for each set of pictures, of several on the same the last."""
    found: dict[AccuracyKey, dict[str, float]] = {}
    for source in accuracy:
        result = source.result
        found.setdefault(result.key, {})[result.pictures_sha256] = result.summary["iou"].mean
    return {key: tuple(ious.values()) for key, ious in found.items()}


def lowest(source: Source[AccuracyResult], most: int = 5) -> list[str]:
    """The results' name, and the pictures with the lowest IoU."""
    found = sorted(source.result.each, key=lambda one: (one.iou, one.picture))[:most]
    return [source.name, ", ".join(f"{one.picture} {hundredths(one.iou)}" for one in found)]


def in_order(bench: Bench) -> list[AnySource]:
    return [*bench.latency, *bench.sustained, *bench.accuracy]


def settings(source: AnySource) -> list[tuple[str, str]]:
    """Accuracy has none."""
    result = source.result
    if isinstance(result, AccuracyResult):
        return []
    found = result.settings.to_json() if isinstance(result, LatencyResult) else {"minutes": result.asked_minutes}
    return [(name.replace("_", " "), said(value) or "none") for name, value in found.items()]


def models(bench: Bench) -> list[tuple[ModelFile, str]]:
    """Each file with each library once."""
    found: dict[tuple[str, str], ModelFile] = {}
    for source in in_order(bench):
        for model, library in _loaded(source.result):
            found.setdefault((model.sha256, str(library)), model)
    return [(model, library) for (_, library), model in found.items()]


def _loaded(result: AnyResult) -> list[tuple[ModelFile, Library]]:
    if isinstance(result, AccuracyResult):
        return [(result.model.file, result.model.library)]
    configurations = result.configurations if isinstance(result, LatencyResult) else [result]
    return [(one.subject.model, one.subject.library) for one in configurations]


def versions(bench: Bench) -> list[list[str]]:
    """Of each package, in all results."""
    found: dict[str, dict[str, None]] = {}
    for source in in_order(bench):
        for name, version in list(source.result.header.machine.packages.items())[:100]:
            found.setdefault(name, {})[said(version)] = None
    return [[name, ", ".join(each)] for name, each in found.items()]
