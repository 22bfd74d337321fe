"""Results files of any kind, read and sorted: what was measured on one machine stands together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from segbench.compare.match import same_machine
from segbench.errors import ResultsError
from segbench.machine.describe import Machine
from segbench.results.accuracy import FORMAT as ACCURACY
from segbench.results.accuracy import AccuracyResult, read_accuracy
from segbench.results.file import format_of
from segbench.results.latency import FORMAT as LATENCY
from segbench.results.latency import LatencyResult, read_latency
from segbench.results.sustained import FORMAT as SUSTAINED
from segbench.results.sustained import SustainedResult, read_sustained

AnyResult = LatencyResult | AccuracyResult | SustainedResult
R = TypeVar("R", bound=AnyResult)
R_co = TypeVar("R_co", bound=AnyResult, covariant=True)
READERS: dict[str, Callable[[Path], AnyResult]] = {
    LATENCY: read_latency,
    ACCURACY: read_accuracy,
    SUSTAINED: read_sustained,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Generic[R_co]):
    """A results file, read."""

    path: Path
    result: R_co

    @property
    def name(self) -> str:
        """The file's, without its folder."""
        return self.path.name


AnySource = Source[AnyResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What was measured on one machine, in the order in which the files were given."""

    machine: Machine
    sources: list[AnySource] = field(default_factory=list)

    @property
    def latency(self) -> list[Source[LatencyResult]]:
        return of_kind(self.sources, LatencyResult)

    @property
    def sustained(self) -> list[Source[SustainedResult]]:
        return of_kind(self.sources, SustainedResult)

    @property
    def accuracy(self) -> list[Source[AccuracyResult]]:
        return of_kind(self.sources, AccuracyResult)


def of_kind(sources: Iterable[AnySource], kind: type[R]) -> list[Source[R]]:
    return [Source(path=one.path, result=one.result) for one in sources if isinstance(one.result, kind)]


def read_source(path: Path) -> AnySource:
    """A file of any kind that `READERS` knows.

    Raises:
        ResultsError: another kind, or what the kind's reader refuses.
    """
    kind = format_of(path)
    if kind not in READERS:
        found = "no format" if kind is None else f"format {kind[:60]!r}"
        raise ResultsError(
            path, f"has {found}, expected one of {', '.join(READERS)}", "give a file that segbench -o wrote"
        )
    return Source(path=path, result=READERS[kind](path))


def read_sources(paths: Sequence[Path]) -> list[AnySource]:
    """Every file, in the order given.

    Raises:
        ResultsError: one cannot be used, or two hold the same result.
    """
    found: dict[str, AnySource] = {}
    for path in paths:
        source = read_source(path)
        digest = source.result.header.digest
        if digest in found:
            raise ResultsError(path, f"holds the same result as {found[digest].path}", "leave one of them out")
        found[digest] = source
    return list(found.values())


def by_machine(sources: Sequence[AnySource]) -> list[Bench]:
    """The same by `segbench.compare.run`'s rules: times of different machines are never put side by side."""
    benches: list[Bench] = []
    for source in sources:
        machine = source.result.header.machine
        bench = next((one for one in benches if same_machine(one.machine, machine)), None)
        if bench is None:
            bench = Bench(machine=machine)
            benches.append(bench)
        bench.sources.append(source)
    return benches
