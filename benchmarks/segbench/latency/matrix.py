"""Which configurations are measured, under which names, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np

from segbench.process.job import Job, check_whole
from segruntime import SegRuntimeError
from segruntime.model_file.entries import model_kind

LARGEST_SEED = 2**32 - 1


def _any_seed() -> int:
    return int(np.random.default_rng().integers(LARGEST_SEED, endpoint=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Every model with every number of threads, size and preset; where an axis is empty, `base` has its one value.

    A model belongs to one backend, so backends are an axis only where no model is named.
    """

    base: Job = field(default_factory=Job)
    models: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    threads: tuple[int, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
    presets: tuple[str | None, ...] = ()
    seed: int = field(default_factory=_any_seed)

    def __post_init__(self) -> None:
        check_whole("seed", self.seed, 0, LARGEST_SEED)

    def jobs(self) -> tuple[Job, ...]:
        """Each configuration once."""
        sizes = self.sizes or ((self.base.width, self.base.height),)
        axes = self._files(), self.threads or (self.base.threads,), sizes, self.presets or (self.base.preset,)
        every = [
            replace(self.base, model=model, backend=backend, threads=threads, width=width, height=height, preset=preset)
            for (model, backend), threads, (width, height), preset in product(*axes)
        ]
        return tuple(dict.fromkeys(every))

    def order(self, count: int) -> list[int]:
        """Which of `count` configurations each process measures: all of them once, in random order, then all again, and so on.

        What the machine does meanwhile (grow hot, run something else) meets every configuration alike.
        """
        random = np.random.default_rng(self.seed)
        return [int(k) for _ in range(self.base.effort.processes) for k in random.permutation(count)]

    def _files(self) -> list[tuple[str | None, str | None]]:
        if not self.models:
            return [(self.base.model, backend) for backend in self.backends or (self.base.backend,)]
        return [(model, _backend_for(model, self.backends)) for model in self.models]


def names(jobs: Sequence[Job]) -> list[str]:
    """Short and different: the model's name, and what else is not the same in all of `jobs`."""
    parts = [_parts(job) for job in jobs]
    paths = [job.model for job in jobs if job.model is not None]
    if len({Path(path).name for path in paths}) < len(set(paths)):
        parts = [(job.model or row[0], *row[1:]) for job, row in zip(jobs, parts, strict=True)]
    shown = [0, *(k for k in range(1, len(parts[0])) if len({row[k] for row in parts}) > 1)] if parts else []
    return [", ".join(row[k] for k in shown) for row in parts]


def _parts(job: Job) -> tuple[str, ...]:
    model = Path(job.model).name if job.model is not None else f"bundled {job.backend or 'model'}"
    threads = "default threads" if job.threads is None else f"{job.threads} thread{'s' if job.threads > 1 else ''}"
    size = "input's size" if job.width is None else f"{job.width}x{job.height}"
    return model, threads, size, job.preset or "no preset"


def _backend_for(model: str, backends: tuple[str, ...]) -> str | None:
    """The model's own where it is among `backends`; otherwise what the runtime will refuse with the reason."""
    if not backends:
        return None
    try:
        kind = model_kind(Path(model))
    except SegRuntimeError:
        return backends[0]
    return kind if kind in backends else backends[0]
