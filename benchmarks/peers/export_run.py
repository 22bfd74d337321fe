"""`python benchmarks/peers export`: each network through each way → one result."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from peers.check import save_pictures
from peers.errors import PeerError, reason
from peers.export_networks import LARGEST_DIFFERENCE, checkpoint_of, count_parameters, difference, load_graph
from peers.export_ways import Converted, Source, Way, litert_torch, ours, plain_onnx2tf
from peers.found import Found
from peers.lineup import Peer
from peers.results import EXPORT_FORMAT, VERSION, Effort, ExportResult, NetworkResult, RowResult, WayResult
from peers.rounds import Setting, measure
from peers.run import row_result
from segbench.console import no_progress
from segbench.frames.drawn import drawn_background, drawn_frame
from segbench.machine.describe import describe_machine, with_sensors_after
from segbench.process.interrupt import Interrupt
from segbench.results.header import header_of, sealed
from segexport.convert.trace.onnx_export import write_onnx
from segruntime import SegRuntimeError

SIZE = 256
REPEATS = 3
OURS = "ours"


@dataclass(slots=True, kw_only=True)
class Tried:
    """One way's conversions of one network; `file` is the last one's."""

    way: Way
    onnx_s: float = 0.0
    values_s: list[float] = field(default_factory=list)
    packages: dict[str, str] = field(default_factory=dict)
    file: Path | None = None
    difference: float | None = None
    failure: str | None = None


def run_export(
    networks: Sequence[str],
    only: Collection[str],
    threads: int,
    seconds: float,
    say: Callable[[str], None],
) -> ExportResult:
    """Convert, compare with PyTorch, time the files; Ctrl-C ends it early with what there is."""
    machine = describe_machine()
    effort = Effort(processes=6, seconds=seconds)
    with Interrupt() as interrupt:
        ways = make_ways(only)
        found = [_network(name, ways, threads, effort, interrupt, say) for name in networks if not interrupt.asked]
    return sealed(
        ExportResult(
            header=header_of(EXPORT_FORMAT, VERSION, with_sensors_after(machine)),
            threads=threads,
            effort=effort,
            networks=tuple(found),
            interrupted=interrupt.asked,
        )
    )


def make_ways(only: Collection[str]) -> list[Way]:
    """Ours, and those of `only`, both where none is named."""
    ways = [Way(name=OURS, title="segexport", convert=ours, through_onnx=True)]
    others = [
        Way(name="onnx2tf", title="onnx2tf -i", convert=plain_onnx2tf, through_onnx=True),
        Way(name="litert-torch", title="litert-torch", convert=litert_torch, through_onnx=False),
    ]
    return ways + [way for way in others if not only or way.name in only]


def _network(
    name: str, ways: Sequence[Way], threads: int, effort: Effort, interrupt: Interrupt, say: Callable[[str], None]
) -> NetworkResult:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        graph = load_graph(checkpoint_of(name, SIZE, folder))
        start = time.perf_counter()
        write_onnx(graph, SIZE, SIZE, folder / "network.onnx")
        onnx_s = time.perf_counter() - start
        source = Source(graph=graph, size=SIZE, onnx=folder / "network.onnx", onnx_s=onnx_s)
        tried = [Tried(way=way, onnx_s=onnx_s if way.through_onnx else 0.0) for way in ways]
        for k in range(REPEATS):
            for one in tried:
                if not interrupt.asked and not one.failure:
                    say(f"{name}: {one.way.title}, {k + 1}")
                    _try(one, source, folder / f"{one.way.name}-{k}", interrupt)
        rows: dict[str, RowResult | None] = {}
        if not interrupt.asked:
            say(f"{name}: invokes")
            rows = _invokes(tried, folder, threads, effort, interrupt)
        return NetworkResult(
            name=name,
            parameters=count_parameters(graph.network),
            size=SIZE,
            ways=tuple(_way_result(one, rows.get(one.way.name)) for one in tried),
        )


def _try(one: Tried, source: Source, folder: Path, interrupt: Interrupt) -> None:
    """Convert once more; the file of the time before goes, so that the disk holds one of each.

    Ctrl-C ends converters too: what they say then is no reason.
    """
    try:
        converted: Converted = one.way.convert(source, folder)
        if one.file is None:
            one.difference = difference(source.graph, converted.file, source.size)
    except (PeerError, SegRuntimeError) as error:
        if not interrupt.asked:
            one.failure = reason(str(error))
        return
    if one.file is not None:
        shutil.rmtree(one.file.parent, ignore_errors=True)
    one.file, one.packages = converted.file, dict(converted.packages)
    one.values_s.append(one.onnx_s + converted.seconds)
    if one.difference is not None and one.difference > LARGEST_DIFFERENCE:
        one.failure = (
            f"its output is up to {one.difference:.2g} away from PyTorch's, expected at most {LARGEST_DIFFERENCE:g}"
        )


def _invokes(
    tried: Sequence[Tried], folder: Path, threads: int, effort: Effort, interrupt: Interrupt
) -> dict[str, RowResult | None]:
    """The bare invoke of every file, in turn."""
    models = {one.way.name: one.file for one in tried if one.file is not None and not one.failure}
    peers = [
        Peer(name=way, title=way, adapter="litert_loop", model=way, tasks=("invoke",), baseline=way == OURS)
        for way in models
    ]
    if OURS not in models:
        return {}
    pictures = save_pictures(folder, drawn_frame(SIZE, SIZE)[None], drawn_background(SIZE, SIZE), 1)
    found = Found()
    setting = Setting(models=models, pythons={}, threads=threads, pictures=pictures, effort=effort, checked=False)
    measure(peers, setting, found, interrupt, no_progress)
    return {peer.name: row_result(peer, "invoke", peers[0], found) for peer in peers}


def _way_result(one: Tried, invoke: RowResult | None) -> WayResult:
    return WayResult(
        name=one.way.name,
        title=one.way.title,
        packages=one.packages,
        failure=one.failure,
        onnx_s=one.onnx_s,
        values_s=tuple(one.values_s),
        seconds=median(one.values_s) if one.values_s else None,
        size_bytes=None if one.file is None else one.file.stat().st_size,
        largest_difference=one.difference,
        invoke=invoke,
    )
