"""What runs on a node of a cluster: one worker, which is given one unit after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

import cv2

from segruntime.errors import SegRuntimeError
from segruntime.jobs.unit import Outcome, Unit
from segruntime.jobs.worker import Work
from segruntime.segmenter import MODELS


class DoesUnits(Protocol):
    """`UnitWorker`, or what stands for it."""

    def run(self, units: Iterable[Unit], /) -> Generator[Outcome, None, None]: ...


class UnitActor:
    """Its worker takes units in a thread of its own, so that several can wait while one is done."""

    def __init__(self, work: Work, bundled: str, does: Callable[[Work], DoesUnits]) -> None:
        """`bundled`: the name of the model where it is one of this package, else empty."""
        if bundled:
            work = replace(work, options=replace(work.options, model=str(Path(MODELS) / bundled)))
        cv2.setNumThreads(work.options.threads or 1)
        self._given: SimpleQueue[Unit] = SimpleQueue()
        self._answers: dict[str, Future[Outcome]] = {}
        self._loaded: Future[None] = Future()
        self._broken: Exception | None = None
        self._lock = threading.Lock()
        threading.Thread(target=self._serve, args=(does, work), daemon=True).start()

    def ready(self) -> tuple[str, str | None]:
        """The id of its node, and what keeps it from working at all; returns when the network is loaded."""
        import ray

        try:
            self._loaded.result()
            said = None
        except SegRuntimeError as error:
            said = str(error)
        return ray.get_runtime_context().get_node_id(), said

    def do(self, unit: Unit) -> Outcome | str:
        """What became of it; or why none can be done."""
        answer: Future[Outcome] = Future()
        with self._lock:
            self._answers[unit.id] = answer
            if self._broken:
                answer.set_exception(self._broken)
        self._given.put(unit)
        try:
            return answer.result()
        except SegRuntimeError as error:
            return str(error)

    def _serve(self, does: Callable[[Work], DoesUnits], work: Work) -> None:
        try:
            for outcome in does(work).run(self._received()):
                with self._lock:
                    answer = self._answers.pop(outcome.unit.id)
                answer.set_result(outcome)
        except Exception as error:  # noqa: BLE001 - whatever it is, who waits for an answer is told
            self._end(error)

    def _received(self) -> Iterator[Unit]:
        self._loaded.set_result(None)  # it is when the first unit is asked for
        while True:
            yield self._given.get()

    def _end(self, error: Exception) -> None:
        with self._lock:
            self._broken = error
            waiting: list[Future[Any]] = [self._loaded, *self._answers.values()]
        for answer in waiting:
            if not answer.done():
                answer.set_exception(error)
