"""Who does the units of a job: this process, workers on this machine, or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Protocol

from segruntime.errors import OptionError
from segruntime.jobs.processes import Processes
from segruntime.jobs.unit import Outcome, Unit
from segruntime.jobs.worker import UnitWorker, Work


class Executor(Protocol):
    """Takes units from an iterator when a worker is free, and gives the outcome of each, in any order.

    Each is done at least once: what a dead worker had is done again, at most three times. Closing the iterator of outcomes
    ends all workers at once.
    """

    def run(self, units: Iterator[Unit], /) -> Generator[Outcome, None, None]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """`--engine` and what goes with it: `workers` None: of the engine's own choice; `address` of a cluster."""

    engine: str = "local"
    workers: int | None = None
    limit_bytes: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise OptionError(f"engine: got {self.engine!r}, expected one of {', '.join(ENGINES)}")
        if self.engine == "local" and self.address is not None:
            raise OptionError(f"address: got {self.address!r} without a cluster; add --engine ray")
        if self.engine == "ray" and self.limit_bytes is not None:
            raise OptionError(
                "limit-memory: is of the processes of --engine local; Ray ends workers itself when a node's memory is full"
            )


def _local(work: Work, crew: Crew) -> Executor:
    if crew.workers is None and crew.limit_bytes is None:
        return UnitWorker(work)
    return Processes(work, crew.workers or 1, crew.limit_bytes)


def _ray(work: Work, crew: Crew) -> Executor:
    from segruntime.jobs.ray_engine import RayActors

    return RayActors(work, crew.workers, crew.address)


ENGINES: dict[str, Callable[[Work, Crew], Executor]] = {"local": _local, "ray": _ray}
