"""What runs in a sustained measurement: one model, one preset, frame after frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import segruntime
from segbench.frames.drawn import Frame, drawn_background
from segbench.frames.source import open_feed
from segbench.latency.chain import Chain
from segbench.latency.mask_check import check
from segbench.process.job import Job

_WARM_UP = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """`one_pass`: a frame `(H, W, 3) uint8, BGR` → its composite; `frames`: without end; `facts` for the JSON."""

    one_pass: Callable[[Frame], object]
    frames: Iterator[Frame]
    facts: dict[str, Any]


def load_subject(job: Job) -> Subject:
    """Check the masks as before every measurement, load the model afresh, and warm it up with ten passes.

    Raises:
        PictureError, ClipError, WrongMaskError: see `segbench.errors`. SegRuntimeError: the model cannot be loaded.
    """
    facts = check(job)
    feed = open_feed(job)
    segmenter = segruntime.load(job.model, backend=job.backend, threads=job.threads)
    chain = Chain(segmenter, job.preset, drawn_background(feed.first.shape[1], feed.first.shape[0]))
    for _ in range(_WARM_UP):
        chain.whole(feed.first)
    return Subject(one_pass=chain.whole, frames=(frame for frame, _ in feed.frames), facts=facts)
