"""The rows of `python benchmarks/peers export`."""

from __future__ import annotations

from collections.abc import Sequence

from peers.results import ExportResult, NetworkResult, RowResult, WayResult
from peers.run_table import busy_note, processor_text, ratio_text

NOTHING = "–"


def export_headings() -> Sequence[str]:
    return (
        "network",
        "with",
        "seconds",
        "times ours",
        "file, MB",
        "largest difference from PyTorch",
        "invoke p50, ms",
        "times ours",
    )


def export_rows(result: ExportResult) -> list[Sequence[str]]:
    """Network by network, ours first."""
    return [_row(network, way) for network in result.networks for way in network.ways]


def export_notes(result: ExportResult) -> list[str]:
    """What the seconds hold, the versions, and what failed."""
    machine = result.header.machine
    said = [
        "seconds: from the network, loaded in PyTorch, to the float32 .tflite; importing the converter counts, importing "
        "PyTorch does not; the median where a way ran several times",
        f"invoke: bare LiteRT, {result.threads} threads, in turn; {processor_text(machine)}",
        *busy_note(machine),
    ]
    versions = {
        way.title: ", ".join(f"{name} {version}" for name, version in way.packages.items())
        for network in result.networks
        for way in network.ways
        if way.packages
    }
    said += [f"{title}: {text}" for title, text in versions.items()]
    said += [
        f"{way.title}, {network.name}: {way.failure}"
        for network in result.networks
        for way in network.ways
        if way.failure
    ]
    if result.interrupted:
        said.append("interrupted: this was measured until then")
    return said


def _row(network: NetworkResult, way: WayResult) -> Sequence[str]:
    ours = network.ways[0]
    name = f"{network.name}, {network.parameters / 1e6:.1f} M, {network.size}x{network.size}"
    failed = f": {way.failure}" if way.failure else ""
    difference = way.largest_difference
    return [
        name,
        way.title + failed,
        NOTHING if way.seconds is None else f"{way.seconds:.1f}",
        _times_text(way.seconds, ours.seconds, way is ours),
        NOTHING if way.size_bytes is None else f"{way.size_bytes / 1e6:.2f}",
        NOTHING if difference is None else f"{difference:.1e}",
        NOTHING if way.invoke is None else f"{way.invoke.p50_ms:.1f}",
        _invoke_times(way.invoke, ours.invoke),
    ]


def _times_text(seconds: float | None, ours: float | None, is_ours: bool) -> str:
    if seconds is None or not ours:
        return NOTHING
    return "1" if is_ours else f"{seconds / ours:.2f}"


def _invoke_times(invoke: RowResult | None, ours: RowResult | None) -> str:
    return "1" if invoke is not None and invoke is ours else ratio_text(None if invoke is None else invoke.ratio)
