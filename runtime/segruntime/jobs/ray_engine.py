"""`--engine ray`: each worker is an actor of a Ray cluster that holds the network; tasks carry paths and options, never frames.

An actor that dies is replaced by a new one, wherever a CPU is free, and what it held goes to any other. (Ray's own restarts
would keep its units with it, and on a cluster that has lost a node for good they would wait for ever.)
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import Any

from segruntime.errors import ClusterError, SegRuntimeError
from segruntime.jobs.actor import DoesUnits, UnitActor
from segruntime.jobs.cluster import connected
from segruntime.jobs.nodes import Nodes, wanted_of
from segruntime.jobs.unit import Outcome, Unit
from segruntime.jobs.unit_queue import AHEAD, MOST_DEATHS, UnitQueue
from segruntime.jobs.worker import UnitWorker, Work

_LOOK_S = 0.5
_PATIENCE_S = 30.0


class RayActors:
    """An executor (see `executors`) on a cluster."""

    def __init__(
        self,
        work: Work,
        workers: int | None = None,
        address: str | None = None,
        does: Callable[[Work], DoesUnits] = UnitWorker,
    ) -> None:
        """`workers`: actors; None: as many as there are CPUs for. `address`: see `connected`. `does`: makes the worker."""
        threads = work.options.threads or 1
        self._work = replace(work, drafts=os.path.abspath(work.drafts), options=_absolute(work, threads))
        self._workers, self._address, self._does, self._threads = workers, address, does, threads

    def run(self, units: Iterator[Unit]) -> Generator[Outcome, None, None]:
        """The outcome of each unit, as they come.

        Raises:
            ClusterError: the cluster cannot be reached, or a node does not fit. SegRuntimeError: none could be done.
        """
        first = next(units, None)
        if first is None:
            return
        cpus = self._workers * self._threads if self._workers else None
        with connected(self._address, cpus) as ray, wanted_of(self._work, [_with_path(first)]) as wanted:
            nodes = Nodes(ray, wanted)
            nodes.check_all()
            seats = [Seat(ray, (self._work, wanted["bundled"], self._does)) for _ in range(self._count(nodes))]
            try:
                yield from Round(ray, nodes, seats, UnitQueue(chain([first], units))).run()
            except (ray.exceptions.RayError, ConnectionError) as error:
                said = " ".join(str(error).split())[:200]
                raise ClusterError(
                    f"the cluster is lost ({said}); the same command goes on with what is left"
                ) from error
            finally:
                for seat in seats:
                    seat.end()

    def _count(self, nodes: Nodes) -> int:
        able = nodes.cpus // self._threads
        if self._workers and self._workers > able:
            warnings.warn(
                f"workers: {self._workers} are asked for, the cluster has CPUs for {able}; the others wait for more",
                RuntimeWarning,
                stacklevel=2,
            )
        return self._workers or max(1, able)


class Round:
    """Hands units out to the seats, and gives what comes back."""

    def __init__(self, ray: Any, nodes: Nodes, seats: list[Seat], queue: UnitQueue) -> None:
        self._ray, self._nodes, self._queue = ray, nodes, queue
        self._seats = seats
        self._heard_s = time.monotonic()
        self._is_patient = True

    def run(self) -> Iterator[Outcome]:
        while True:
            for seat in self._seats:
                while seat.is_ready and (unit := self._queue.next_for(seat.units.values())) is not None:
                    seat.give(unit)
            if not any(seat.units for seat in self._seats) and self._queue.is_empty:
                return
            yield from self._heard()

    def _heard(self) -> Iterator[Outcome]:
        asked = {ref: seat for seat in self._seats for ref in seat.refs}
        done, _ = self._ray.wait(list(asked), num_returns=1, timeout=_LOOK_S)
        if not done:
            self._complain()
            return
        done, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=0)
        self._heard_s, self._is_patient = time.monotonic(), True
        for ref in done:
            seat = asked[ref]
            if ref in seat.refs:  # not of an actor whose death was told by another
                yield from self._told(seat, ref)

    def _told(self, seat: Seat, ref: Any) -> Iterator[Outcome]:
        try:
            said = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            yield from self._queue.after_death(seat.buried(), _death(error))
            self._again(seat, f"a worker {_death(error)}")
            return
        if not seat.is_ready:
            self._is_there(seat, *said)
        elif isinstance(said, str):
            raise SegRuntimeError(said)
        else:
            yield seat.take(ref, said)

    def _is_there(self, seat: Seat, node_id: str, broken: str | None) -> None:
        if broken is not None:
            raise SegRuntimeError(broken)
        complaint = self._nodes.complaint_of(node_id)
        if complaint is None:
            seat.is_ready = True
            return
        seat.buried()
        self._again(seat, complaint)

    def _again(self, seat: Seat, why: str) -> None:
        """A new actor; no more of them where none of so many in a row came to be ready."""
        if seat.failures < MOST_DEATHS:
            seat.start()
            return
        self._seats.remove(seat)
        if not self._seats:
            raise ClusterError(f"no worker starts in the cluster: {why}; the logs of Ray on that node say more")
        warnings.warn(f"going on with {len(self._seats)} workers: {why}", RuntimeWarning, stacklevel=2)

    def _complain(self) -> None:
        if any(seat.is_ready for seat in self._seats):
            self._heard_s = time.monotonic()
        elif self._is_patient and time.monotonic() - self._heard_s > _PATIENCE_S:
            self._is_patient = False
            warnings.warn(
                f"no worker has a place: the cluster has {self._nodes.cpus} CPUs, which others may hold; waiting, Ctrl-C ends",
                RuntimeWarning,
                stacklevel=2,
            )


class Seat:
    """Where one actor is, or the next one will be.

    `units`: what it holds, by Ray's references to the answers. `failures`: actors in a row that were never ready.
    """

    def __init__(self, ray: Any, work: tuple[Any, ...]) -> None:
        """`work`: what a `UnitActor` is made of."""
        self._ray, self._work = ray, work
        self.failures = 0
        self.start()

    def start(self) -> None:
        """A new actor, on the node that has the fewest."""
        threads = self._work[0].options.threads
        options = {"num_cpus": threads, "max_concurrency": AHEAD + 2, "scheduling_strategy": "SPREAD"}
        self._actor = self._ray.remote(UnitActor).options(**options).remote(*self._work)
        self.units: dict[Any, Unit] = {}
        self.is_ready = False
        self._ready = self._actor.ready.remote()

    @property
    def refs(self) -> list[Any]:
        """What it may answer next."""
        return list(self.units) if self.is_ready else [self._ready]

    def give(self, unit: Unit) -> None:
        self.units[self._actor.do.remote(_with_path(unit))] = unit

    def take(self, ref: Any, outcome: Outcome) -> Outcome:
        """As if the worker had been given the unit as it is here."""
        unit = self.units.pop(ref)
        said = [
            None if text is None else text.replace(outcome.unit.source, unit.source)
            for text in (outcome.error, *outcome.notes)
        ]
        return replace(outcome, unit=unit, error=said[0], notes=tuple(filter(None, said[1:])))

    def buried(self) -> list[Unit]:
        """The units that it leaves; `start` is for the next one."""
        self.end()
        self.failures = 0 if self.is_ready else self.failures + 1
        return list(self.units.values())

    def end(self) -> None:
        """At once, with what it has in work: that is done again."""
        if self._ray.is_initialized():  # where the connection is lost, any call of Ray's would make a new one
            with suppress(Exception):  # it is dead already
                self._ray.kill(self._actor)


def _absolute(work: Work, threads: int) -> Any:
    """Paths that are the same on every node, whatever a process's own folder is there."""
    options = work.options
    background = options.background
    return replace(
        options,
        model=os.path.abspath(str(options.model)),
        background=os.path.abspath(background) if os.path.isfile(background) else background,
        threads=threads,
    )


def _with_path(unit: Unit) -> Unit:
    return replace(unit, source=os.path.abspath(unit.source))


def _death(error: Exception) -> str:
    """For the middle of a sentence: the first one of what Ray says of it."""
    said = " ".join(str(error).split())
    for mark in ("The actor is dead because ", "Worker exit detail: "):
        said = said.partition(mark)[2] or said
    return f"died ({said.partition('. ')[0]:.160})"
