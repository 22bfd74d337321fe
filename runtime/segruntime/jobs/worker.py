"""Does units: loads the network once, and gives an outcome for each, whatever happens to it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from segruntime.errors import PictureError, VideoError
from segruntime.jobs.step import Step
from segruntime.jobs.unit import Outcome, Unit
from segruntime.picture_files import kind_of
from segruntime.run.command import RunOptions, finish_of, run
from segruntime.run.pictures.source import StillSource
from segruntime.run.pipeline import Overlap
from segruntime.run.stages import Network
from segruntime.run.statistics import Statistics
from segruntime.run.targets import still_sink
from segruntime.segmenter import Segmenter, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is the same for all units: the options, with the model's file among them, and the folder of the drafts."""

    options: RunOptions
    drafts: str


class UnitWorker:
    """Takes units in their order; pictures overlap: one is read while the one before is masked."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._loaded: Segmenter | None = None

    def segmenter(self) -> Segmenter:
        """The network, read at the first call.

        Raises:
            ModelFileError, ContractError, BackendError: it cannot be used.
        """
        if self._loaded is None:
            options = self._work.options
            self._loaded = load(options.model, backend=options.backend, threads=options.threads)
        return self._loaded

    def run(self, units: Iterable[Unit]) -> Generator[Outcome, None, None]:
        """The outcome of each unit, in their order; the result of a finished one lies whole in its draft.

        Raises:
            ModelFileError, ContractError, BackendError: none of them could be done. KeyboardInterrupt: the user ended it.
        """
        segmenter = self.segmenter()
        for is_still, group in groupby(units, key=lambda unit: kind_of(Path(unit.source)) == "picture"):
            if is_still:
                yield from self._pictures(group, segmenter)
            else:
                yield from map(self._moving, group)

    def _pictures(self, units: Iterable[Unit], segmenter: Segmenter) -> Iterator[Outcome]:
        stages = Network(segmenter), finish_of(self._work.options)
        begin = time.perf_counter()
        read = partial(_read, keep_alpha=self._work.options.keep_alpha)
        for step in Overlap(map(read, units), [*(_on_its_way(stage) for stage in stages), self._write]):
            outcome = step.go(_sync).outcome(1, 0.0)
            end = time.perf_counter()
            yield replace(outcome, seconds=end - begin)
            begin = end

    def _write(self, step: Step) -> Step:
        """Into its draft, which `_sync` sees to while the next one is encoded."""
        draft = step.unit.draft(self._work.drafts)

        def write(finished: Any) -> Path:
            still_sink(str(draft), self._work.options.mode, overwrite=True).write(finished)
            return draft

        return step.go(write)

    def _moving(self, unit: Unit) -> Outcome:
        begin = time.perf_counter()
        step = Step(unit).go(lambda _: _check(unit)).go(lambda _: self._run(unit))
        frames = step.value.frames if step.error is None else 0
        step.notes += step.value.notes if step.error is None else []
        return step.outcome(frames, time.perf_counter() - begin)

    def _run(self, unit: Unit) -> Statistics:
        draft = unit.draft(self._work.drafts)
        options = replace(self._work.options, source=unit.source, output=str(draft), span=unit.span, overwrite=True)
        statistics = run(options, segmenter=self.segmenter())
        complaint = unit.span.complaint(statistics.frames + statistics.broken) if unit.span else None
        if statistics.interrupted or complaint:
            draft.unlink(missing_ok=True)
        if statistics.interrupted:
            raise KeyboardInterrupt
        if complaint:
            raise VideoError(f"{unit.label}: {complaint}; run it without --segment")
        _sync(draft)
        return statistics


def _read(unit: Unit, keep_alpha: bool) -> Step:
    source = StillSource(Path(unit.source), keep_alpha=keep_alpha)
    step = Step(unit).go(lambda _: _check(unit)).go(lambda _: next(iter(source)))
    step.notes += source.problems(1)
    return step


def _check(unit: Unit) -> None:
    if unit.has_changed():
        raise PictureError(f"{unit.source}: is not what it was when the job looked; run it again")


def _on_its_way(stage: Callable[[Any], Any]) -> Callable[[Step], Step]:
    return lambda step: step.go(stage)


def _sync(path: Path) -> None:
    """Wait until a file is on the disk: the journal is about to say so."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
