"""`python benchmarks/peers run`: the clip once through everybody → one result."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from peers.check import save_pictures
from peers.environment import FOLDER
from peers.errors import PeerError
from peers.found import Found, PeerFacts
from peers.lineup import Peer, baseline_of
from peers.results import (
    RUN_FORMAT,
    VERSION,
    Baseline,
    ClipInfo,
    Effort,
    ModelInfo,
    PeerResult,
    Ratio,
    RowResult,
    RunResult,
)
from peers.rounds import Setting, measure
from segbench.console import Advance
from segbench.frames.clip import Clip
from segbench.frames.drawn import drawn_background
from segbench.machine.describe import describe_machine, with_sensors_after
from segbench.process.interrupt import Interrupt
from segbench.results.header import header_of, sealed
from segbench.statistics.bootstrap import median_ratio
from segbench.statistics.stability import stability
from segbench.statistics.summary import summarize
from segruntime.segmenter import BUNDLED

CHECKED_FRAMES = 8
_BASELINE_TASK = {"invoke": "mask", "mask": "mask", "composite": "composite", "cutout": "composite"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJob:
    """Who is measured, on how many `frames` of the clip, and how much; `environments`: the folder of their environments."""

    peers: Collection[Peer]
    clip: Path
    frames: int
    threads: int
    effort: Effort
    environments: Path = FOLDER


def run_peers(job: RunJob, say: Callable[[str], None], advance: Advance) -> RunResult:
    """Install, check, measure; Ctrl-C ends it early with what there is.

    Raises:
        ClipError: the clip cannot be read.
    """
    machine, found, peers, threads = describe_machine(), Found(), job.peers, job.threads
    with Interrupt() as interrupt, tempfile.TemporaryDirectory() as folder:
        pictures = read_clip(job.clip, job.frames)
        size = pictures.shape[2], pictures.shape[1]
        pythons = install(peers, found, interrupt, say, job.environments)
        setting = Setting(
            models=BUNDLED,
            pythons=pythons,
            threads=threads,
            pictures=save_pictures(Path(folder), pictures, drawn_background(*size), CHECKED_FRAMES),
            effort=job.effort,
        )
        measure(peers, setting, found, interrupt, advance)
    return sealed(
        RunResult(
            header=header_of(RUN_FORMAT, VERSION, with_sensors_after(machine)),
            clip=ClipInfo(file=job.clip.name, frames=len(pictures), width=size[0], height=size[1]),
            models={name: describe_file(path) for name, path in BUNDLED.items()},
            threads=threads,
            effort=job.effort,
            peers=tuple(peer_result(peer, peers, threads, found) for peer in peers),
            interrupted=interrupt.asked,
        )
    )


def read_clip(path: Path, count: int) -> npt.NDArray[np.uint8]:
    """`count` frames spread evenly over the clip, all where it is shorter: `(n, H, W, 3) uint8, BGR`, each decoded once.

    Raises:
        ClipError: see `Clip`.
    """
    with Clip(path) as clip:
        step = max(1, (clip.declared_frames or count) // count)
        kept = [frame for k, frame in enumerate(clip.frames(step * count)) if k % step == 0]
    return np.stack(kept)


def install(
    peers: Collection[Peer], found: Found, interrupt: Interrupt, say: Callable[[str], None], folder: Path
) -> dict[str, Path]:
    """The interpreter of each environment that is needed, by its name; peers whose one cannot be made fail."""
    pythons: dict[str, Path] = {}
    for peer in peers:
        if peer.environment is None or peer.environment.name in pythons or interrupt.asked:
            continue
        say(f"{peer.environment.name}: its environment ({', '.join(peer.environment.requirements)})")
        try:
            pythons[peer.environment.name] = peer.environment.python(folder)
        except PeerError as error:
            if not interrupt.asked:  # Ctrl-C ends pip too
                found.fail(error, peer.name)
    return pythons


def peer_result(peer: Peer, peers: Collection[Peer], threads: int, found: Found) -> PeerResult:
    """Rows only of a peer that did not fail."""
    failure = found.failures.get(peer.name)
    nothing = PeerFacts(threads=peer.threads or threads, packages={}, notes=())
    facts = found.facts.get(peer.name, nothing)
    rows = [] if failure else [row_result(peer, task, baseline_of(peer, peers, threads), found) for task in peer.tasks]
    return PeerResult(
        name=peer.name,
        title=peer.title,
        model=peer.model,
        threads=facts.threads,
        requirements=None if peer.environment is None else peer.environment.requirements,
        packages=facts.packages,
        notes=facts.notes,
        masks=found.masks.get(peer.name),
        failure=failure,
        rows=tuple(row for row in rows if row is not None),
    )


def row_result(peer: Peer, task: str, baseline: Peer, found: Found) -> RowResult | None:
    """What a row found, and how many times as long as its baseline it takes; None where it was not measured."""
    values = found.values_ms.get((peer.name, task))
    if not values:
        return None
    summary = summarize([v for one in values for v in one])
    # a network alone is checked against the whole way to the mask, where the baseline has one
    other = _BASELINE_TASK[task] if _BASELINE_TASK[task] in baseline.tasks else task
    beside = None if baseline.name in found.failures else (baseline.name, other)
    theirs = found.values_ms.get(beside, []) if beside and beside != (peer.name, task) else []
    return RowResult(
        task=task,
        title=peer.title_of(task),
        values_ms=values,
        p50_ms=summary.p50_ms,
        p90_ms=summary.p90_ms,
        n=summary.n,
        stability=stability(values),
        baseline=Baseline(peer=beside[0], task=beside[1]) if beside and theirs else None,
        ratio=_ratio(theirs, values),
    )


def _ratio(baseline: Sequence[Sequence[float]], values: Sequence[Sequence[float]]) -> Ratio | None:
    """Process k of both ran in the same rounds; an interrupted run may lack the last one of some."""
    count = min(len(baseline), len(values))
    if not count:
        return None
    ratio = median_ratio(baseline[:count], values[:count], paired=True)
    return Ratio(ratio=ratio.ratio, low=ratio.low, high=ratio.high)


def describe_file(path: Path) -> ModelInfo:
    data = path.read_bytes()
    return ModelInfo(file=path.name, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
