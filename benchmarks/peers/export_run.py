"""`python benchmarks/peers export`: each network through each way → one result."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import segruntime
from export_speed import build_graph, difference
from peers.check import save_pictures
from peers.environment import FOLDER
from peers.errors import PeerError, reason
from peers.export_ways import LITERT_TORCH, Converted, Source, Way, litert_torch, ours, plain_onnx2tf
from peers.found import Found
from peers.lineup import Peer
from peers.results import EXPORT_FORMAT, VERSION
from peers.rounds import Effort, Setting, measure
from peers.run import now, row_json
from segbench.frames import drawn_background, drawn_frame
from segbench.interrupt import Interrupt
from segbench.machine import describe_machine, with_sensors_after
from segbench.progress import no_progress
from segexport.checkpoint import read_checkpoint
from segexport.convert.onnx_export import write_onnx
from segexport.deploy import Deployable, choose_head
from segexport.inspection import find_network
from segexport.presets import PREPROCESSING
from segruntime import SegRuntimeError

CHECKPOINT = Path(__file__).resolve().parents[2] / "examples" / "portrait_unet.pth"
SIZE = 256
LARGE_WIDTHS = [64, 128, 256, 512]
REPEATS = 3
LARGEST_DIFFERENCE = 2e-3  # of a probability, as export_speed has it
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
    environments: Path = FOLDER,
) -> dict[str, Any]:
    """Convert, compare with PyTorch, time the files; Ctrl-C ends it early with what there is."""
    machine, measured_at = describe_machine(), now()
    effort = Effort(processes=6, seconds=seconds)
    with Interrupt() as interrupt:
        ways = make_ways(only, say, environments)
        found = [_network(name, ways, threads, effort, interrupt, say) for name in networks if not interrupt.asked]
    return {
        "format": EXPORT_FORMAT,
        "version": VERSION,
        "measured_at": measured_at,
        "segedge_version": segruntime.__version__,
        "machine": with_sensors_after(machine),
        "settings": {"threads": threads, "seconds": seconds, "processes": effort.processes, "seed": effort.seed},
        "networks": found,
        "interrupted": interrupt.asked,
    }


def make_ways(only: Collection[str], say: Callable[[str], None], environments: Path) -> list[Way]:
    """Ours, and those of `only`, both where none is named."""
    ways = [Way(name=OURS, title="segexport", convert=ours, through_onnx=True)]
    if not only or "onnx2tf" in only:
        ways.append(Way(name="onnx2tf", title="onnx2tf -i", convert=plain_onnx2tf, through_onnx=True))
    if not only or "litert-torch" in only:
        say(f"litert-torch: its environment ({', '.join(LITERT_TORCH.requirements)})")
        try:
            convert = partial(litert_torch, python=LITERT_TORCH.python(environments))
        except PeerError as error:
            convert = partial(_not_there, str(error))
        ways.append(Way(name="litert-torch", title="litert-torch", convert=convert, through_onnx=False))
    return ways


def load_network(name: str) -> Deployable:
    """`demo`: the trained one of examples/, with what is needed around it; `unet31m`: random weights."""
    if name != "demo":
        return build_graph(LARGE_WIDTHS, SIZE)
    network = find_network(read_checkpoint(CHECKPOINT), None)
    head = choose_head("auto", network, None)
    return Deployable(network.module, PREPROCESSING["imagenet"], "rgb", head).eval().requires_grad_(False)


def _network(
    name: str, ways: Sequence[Way], threads: int, effort: Effort, interrupt: Interrupt, say: Callable[[str], None]
) -> dict[str, Any]:
    graph = load_network(name)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        start = time.perf_counter()
        write_onnx(graph, SIZE, SIZE, folder / "network.onnx")
        onnx_s = time.perf_counter() - start
        source = Source(graph=graph, size=SIZE, onnx=folder / "network.onnx", onnx_s=onnx_s)
        tried = [Tried(way=way, onnx_s=onnx_s if way.through_onnx else 0.0) for way in ways]
        # the large one takes the plain command minutes, and once tells enough
        for k in range(REPEATS):
            for one in tried:
                if not interrupt.asked and not one.failure and (k == 0 or one.way.name != "onnx2tf" or name == "demo"):
                    say(f"{name}: {one.way.title}, {k + 1}")
                    _try(one, source, folder / f"{one.way.name}-{k}", interrupt)
        rows = _invokes(tried, folder, threads, effort, interrupt, say, name)
        return {
            "name": name,
            "parameters": sum(p.numel() for p in graph.network.parameters()),
            "size": SIZE,
            "ways": [_way_json(one, rows) for one in tried],
        }


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
    tried: Sequence[Tried],
    folder: Path,
    threads: int,
    effort: Effort,
    interrupt: Interrupt,
    say: Callable[[str], None],
    name: str,
) -> dict[str, dict[str, Any] | None]:
    """The bare invoke of every file, in turn."""
    models = {one.way.name: one.file for one in tried if one.file is not None and not one.failure}
    peers = [
        Peer(name=way, title=way, adapter="litert_loop", model=way, tasks=("invoke",), baseline=way == OURS)
        for way in models
    ]
    if OURS not in models or interrupt.asked:
        return {}
    say(f"{name}: invokes")
    pictures = save_pictures(folder, drawn_frame(SIZE, SIZE)[None], drawn_background(SIZE, SIZE), 1)
    found = Found()
    setting = Setting(models=models, pythons={}, threads=threads, pictures=pictures)
    measure(peers, setting, effort, found, interrupt, no_progress, checked=False)
    return {peer.name: row_json(peer, "invoke", peers[0], found) for peer in peers}


def _way_json(one: Tried, rows: dict[str, dict[str, Any] | None]) -> dict[str, Any]:
    return {
        "name": one.way.name,
        "title": one.way.title,
        "packages": one.packages,
        "failure": one.failure,
        "onnx_s": one.onnx_s,
        "values_s": one.values_s,
        "seconds": median(one.values_s) if one.values_s else None,
        "size_bytes": None if one.file is None else one.file.stat().st_size,
        "largest_difference": one.difference,
        "invoke": rows.get(one.way.name),
    }


def _not_there(reason: str, _source: Source, _folder: Path) -> Converted:
    raise PeerError(reason)
