"""Who is compared. Another peer is an entry here and a file in `adapters/`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from peers.environment import Environment
from segbench.errors import OptionError

TITLES = {
    "invoke": "ready tensor → output",
    "mask": "frame → mask",
    "composite": "frame → composite",
    "cutout": "frame → cutout, RGBA",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # a peer is itself, and so a key
class Peer:
    """`adapter`: the file in `adapters/` without `.py`; `model`: which of the run's files; `environment`: None for ours.

    `threads`: None for as many as the run is told. A `baseline` is what the others with the same model and the same number of
    threads are checked against. `composite_by`: what blends where the peer gives masks only.
    """

    name: str
    title: str
    adapter: str
    model: str
    tasks: tuple[str, ...]
    threads: int | None = None
    environment: Environment | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    baseline: bool = False
    composite_by: str | None = None

    def title_of(self, task: str) -> str:
        """The peer's title, and what does the rest where it has no composite of its own."""
        return f"{self.title} + {self.composite_by}" if task == "composite" and self.composite_by else self.title


def _as_here(package: str, installed: str = "") -> str:
    """`package` in the version of `installed`, by default its own, here: both sides get the same engine."""
    try:
        return f"{package}=={metadata.version(installed or package)}"
    except metadata.PackageNotFoundError:
        return package


MEDIAPIPE = Environment(
    name="mediapipe", requirements=("mediapipe==1.2.3", _as_here("opencv-contrib-python", "opencv-python"))
)
REMBG = Environment(name="rembg", requirements=("rembg==2.0.86", _as_here("onnxruntime")))

PEERS: tuple[Peer, ...] = (
    Peer(
        name="segruntime",
        title="segruntime",
        adapter="segruntime_chain",
        model="tflite",
        tasks=("mask", "composite"),
        baseline=True,
    ),
    Peer(
        name="segruntime-fast",
        title="segruntime, preset fast",
        adapter="segruntime_chain",
        model="tflite",
        tasks=("composite",),
        options={"preset": "fast"},
    ),
    Peer(
        name="litert",
        title="bare LiteRT loop",
        adapter="litert_loop",
        model="tflite",
        tasks=("invoke", "mask"),
    ),
    Peer(
        name="numpy",
        title="usual numpy loop",
        adapter="usual_numpy",
        model="tflite",
        tasks=("mask", "composite"),
    ),
    Peer(
        name="segruntime-1",
        title="segruntime",
        adapter="segruntime_chain",
        model="tflite",
        tasks=("mask", "composite"),
        threads=1,
        baseline=True,
    ),
    Peer(
        name="mediapipe",
        title="MediaPipe ImageSegmenter",
        adapter="mediapipe_segmenter",
        model="tflite",
        tasks=("mask", "composite"),
        threads=1,
        environment=MEDIAPIPE,
        composite_by="numpy",
    ),
    Peer(
        name="segruntime-onnx",
        title="segruntime",
        adapter="segruntime_chain",
        model="onnx",
        tasks=("mask", "composite"),
        baseline=True,
    ),
    Peer(
        name="onnxruntime",
        title="bare onnxruntime loop",
        adapter="onnxruntime_loop",
        model="onnx",
        tasks=("invoke", "mask"),
    ),
    Peer(
        name="rembg",
        title="rembg",
        adapter="rembg_session",
        model="onnx",
        tasks=("mask", "cutout"),
        environment=REMBG,
    ),
)


def choose(only: Collection[str], threads: int, peers: tuple[Peer, ...] = PEERS) -> tuple[Peer, ...]:
    """Those named, all where none is; each with its baseline, and none twice where `threads` makes two alike.

    Raises:
        OptionError: a name that no peer has.
    """
    unknown = [name for name in only if name not in {peer.name for peer in peers}]
    if unknown:
        raise OptionError(f"--only: got {unknown[0]!r}, expected one of {', '.join(peer.name for peer in peers)}")
    wanted = [peer for peer in peers if not only or peer.name in only]
    sides = {_side(peer, threads) for peer in wanted}
    seen: set[tuple[str, int]] = set()
    chosen = []
    for peer in peers:
        side = _side(peer, threads)
        if peer.baseline and (side in seen or side not in sides):
            continue
        if peer.baseline:
            seen.add(side)
        if peer.baseline or peer in wanted:
            chosen.append(peer)
    return tuple(chosen)


def baseline_of(peer: Peer, peers: Collection[Peer], threads: int) -> Peer:
    """The one of the same model and number of threads, which may be `peer` itself; `choose` has seen to it."""
    return next(one for one in peers if one.baseline and _side(one, threads) == _side(peer, threads))


def _side(peer: Peer, threads: int) -> tuple[str, int]:
    return peer.model, peer.threads or threads
