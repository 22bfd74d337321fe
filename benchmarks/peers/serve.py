"""The measured side: one library with one model, in a process of its own, doing what it is asked line by line.

Runs in the peer's own environment, so it needs numpy only: an adapter calls `serve` with what loads its library. The first
request is the job, see `segbench.process.answers`. Whatever goes wrong ends the process, and the last line on standard error
says why.

    {"model": PATH, "threads": 2, "frames": NPY, "background": NPY, "options": {}}
                                         → {"threads": 2, "packages": {"numpy": "2.0"}, "notes": ["…"]}
    {"do": "masks", "pictures": NPY, "out": NPY, "seen": NPY}                        → {"seen": true}
    {"do": "results", "task": "composite", "pictures": NPY, "out": NPY}              → {}
    {"do": "block", "task": "mask", "first": 0, "unmeasured": 2, "seconds": 0.25}    → {"values_ms": [7.5, 7.4]}
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import numpy.typing as npt

from segbench.process.answers import answer_requests

Frame = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.float32]
Task = Callable[[Frame], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`model`: a file; `background` `(H, W, 3) uint8, BGR`, of the frames' size; `options` are the adapter's own."""

    model: str
    threads: int
    background: Frame
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One library with one model loaded.

    `tasks` are what is timed: `invoke` (the frame is not looked at), `mask`, `composite`, `cutout`. `mask` gives what
    `tasks["mask"]` gives as `(H, W) float32, 0–1`, and is not timed. `seen`: the small picture `(h, w, 3) uint8, BGR` that its
    network gets of a frame, where that can be told. `threads`: how many the network runs on. `notes`: what had to be done to
    make it take the model.
    """

    threads: int
    packages: tuple[str, ...]
    tasks: Mapping[str, Task]
    mask: Callable[[Frame], Mask]
    seen: Callable[[Frame], Frame] | None = None
    notes: tuple[str, ...] = ()


def serve(load: Callable[[Job], Served]) -> None:
    """Load, then do what is asked until standard input ends."""
    loaded: list[tuple[Served, npt.NDArray[Any]]] = []

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        if loaded:
            return _done(*loaded[0], request)
        frames = np.load(request["frames"], mmap_mode="r")
        frames.max()  # every page of the file is mapped before anything is timed
        background = np.load(request["background"])
        job = Job(model=request["model"], threads=request["threads"], background=background, options=request["options"])
        loaded.append((load(job), frames))
        return _facts(loaded[0][0])

    answer_requests(answer)


def _facts(served: Served) -> dict[str, Any]:
    packages = {name: metadata.version(name) for name in served.packages}
    return {"threads": served.threads, "packages": packages, "notes": list(served.notes)}


def _done(served: Served, frames: npt.NDArray[Any], request: dict[str, Any]) -> dict[str, Any]:
    if request["do"] == "masks":
        return _masks(served, np.load(request["pictures"]), request["out"], request["seen"])
    if request["do"] == "results":
        call = served.tasks[request["task"]]
        np.save(request["out"], np.stack([np.asarray(call(picture)) for picture in np.load(request["pictures"])]))
        return {}
    call = served.tasks[request["task"]]
    return {"values_ms": _block(call, frames, request["first"], request["unmeasured"], request["seconds"])}


def _masks(served: Served, pictures: npt.NDArray[np.uint8], out: str, seen_out: str) -> dict[str, Any]:
    np.save(out, np.stack([served.mask(picture) for picture in pictures]))
    if served.seen is not None:
        np.save(seen_out, np.stack([served.seen(picture) for picture in pictures]))
    return {"seen": served.seen is not None}


def _block(call: Task, frames: npt.NDArray[Any], first: int, unmeasured: int, seconds: float) -> list[float]:
    """Milliseconds of each call, for at least `seconds`, one frame after the other, round and round.

    At most `unmeasured` calls before, as many as fit into `seconds`, bring the caches back to this peer.
    """
    clock, count = time.perf_counter, len(frames)
    pictures = [np.asarray(frame) for frame in frames]
    kept: Any = None
    end = clock() + seconds
    for k in range(unmeasured):
        if k == 0 or clock() < end:
            kept = call(pictures[(first + k) % count])
    values: list[float] = []
    end = clock() + seconds
    while not values or clock() < end:
        picture = pictures[(first + unmeasured + len(values)) % count]
        start = clock()
        # the one before is let go when this one is there, as in a program that shows it: who drops it at once makes malloc
        # give its pages back and fetch them anew, which costs some peers 40 % and others nothing
        kept = call(picture)
        values.append(round(1e3 * (clock() - start), 5))
    del kept
    return values
