"""Jobs with few words, and a network whose masks change from frame to frame, in the place of the bundled one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from segruntime.jobs import worker
from segruntime.jobs.executors import Crew
from segruntime.jobs.job import run_job
from segruntime.jobs.options import JobOptions, Summary
from segruntime.run.command import RunOptions

RunJob = Callable[..., Summary]


class Flickering:
    """A segmenter whose mask is another in every frame and follows from the frame alone; `seen`: how many it got."""

    contract = SimpleNamespace(input=SimpleNamespace(interpolation="bilinear"))

    def __init__(self) -> None:
        self.seen = 0

    def coarse_size(self, _height: int, _width: int) -> tuple[int, int]:
        return 32, 32

    def coarse(self, frame: Any) -> Any:
        self.seen += 1
        noise = np.random.default_rng(int(frame.astype(np.int64).sum()))
        return noise.uniform(0, 1, (32, 32)).astype(np.float32)


@pytest.fixture
def flickering(monkeypatch: pytest.MonkeyPatch) -> Flickering:
    made = Flickering()
    monkeypatch.setattr(worker, "load", lambda *_, **__: made)
    return made


@pytest.fixture
def job() -> RunJob:
    """`job(source, output, segment_s=…, crew=…, **RunOptions)`."""

    def run(source: Path, output: Path, **words: Any) -> Summary:
        named = {name: words.pop(name) for name in ("segment_s", "crew", "is_resumed") if name in words}
        watch = {name: words.pop(name) for name in ("watch", "say") if name in words}
        options = RunOptions(
            source=str(source),
            output=str(output),
            **{"background": "green", "preset": "fast", "threads": 1, "encoder": {"preset": "ultrafast"}, **words},
        )
        return run_job(JobOptions(run=options, **{"crew": Crew(), **named}), **watch)

    return run
