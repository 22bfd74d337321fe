"""Results files of any kind, read and sorted: what was measured on one machine stands together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segbench.compare.match import same_machine
from segbench.errors import ResultsError
from segbench.results.accuracy import FORMAT as ACCURACY
from segbench.results.accuracy import read_accuracy
from segbench.results.file import format_of
from segbench.results.latency import FORMAT as LATENCY
from segbench.results.latency import read_results
from segbench.results.sustained import FORMAT as SUSTAINED
from segbench.results.sustained import read_sustained

READERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    LATENCY: read_results,
    ACCURACY: read_accuracy,
    SUSTAINED: read_sustained,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A results file; `kind` is its format, of `READERS`."""

    path: Path
    kind: str
    result: dict[str, Any]

    @property
    def name(self) -> str:
        """The file's, without its folder."""
        return self.path.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What was measured on one machine, in the order in which the files were given."""

    machine: dict[str, Any]
    latency: list[Source] = field(default_factory=list)
    sustained: list[Source] = field(default_factory=list)
    accuracy: list[Source] = field(default_factory=list)

    def add(self, source: Source) -> None:
        {LATENCY: self.latency, SUSTAINED: self.sustained, ACCURACY: self.accuracy}[source.kind].append(source)


def read_source(path: Path) -> Source:
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
    return Source(path=path, kind=kind, result=READERS[kind](path))


def read_sources(paths: Sequence[Path]) -> list[Source]:
    """Every file, in the order given.

    Raises:
        ResultsError: one cannot be used, or two hold the same result.
    """
    found: dict[str, Source] = {}
    for path in paths:
        source = read_source(path)
        digest = source.result["digest"]
        if digest in found:
            raise ResultsError(path, f"holds the same result as {found[digest].path}", "leave one of them out")
        found[digest] = source
    return list(found.values())


def by_machine(sources: Sequence[Source]) -> list[Bench]:
    """The same by `segbench.compare.run`'s rules: times of different machines are never put side by side."""
    benches: list[Bench] = []
    for source in sources:
        machine = source.result["machine"]
        bench = next((one for one in benches if same_machine(one.machine, machine)), None)
        if bench is None:
            bench = Bench(machine=machine)
            benches.append(bench)
        bench.add(source)
    return benches
