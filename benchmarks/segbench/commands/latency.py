"""What `segbench` without a command does: options → measurement → table, file, and exit code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

from segbench.console import INTERRUPTED, print_json, with_progress
from segbench.errors import WorkerError
from segbench.latency.matrix import Matrix
from segbench.latency.run import run_latency
from segbench.latency.table import print_table
from segbench.plots import check_plot, write_plot
from segbench.plots.distribution import distribution_plot
from segbench.process.job import Effort, Job, parse_size, parse_threads
from segbench.results.file import write_results
from segbench.results.latency import LatencyResult
from segbench.results.output_file import check_output

REFUSED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyOptions:
    """As they stand on the command line; None and empty are those that are not there."""

    models: tuple[Path, ...]
    backends: tuple[str, ...]
    threads: str | None
    sizes: str | None
    presets: tuple[str, ...]
    input_: Path | None
    rate: float | None
    effort: Effort
    least_mask_iou: float | None
    seed: int | None

    def matrix(self) -> Matrix:
        """Raises OptionError: a value that cannot be used."""
        input_ = None if self.input_ is None else str(self.input_)
        seed = {} if self.seed is None else {"seed": self.seed}
        return Matrix(
            base=Job(input=input_, rate=self.rate, effort=self.effort, least_mask_iou=self.least_mask_iou),
            models=tuple(map(str, self.models)),
            backends=self.backends,
            threads=tuple(map(parse_threads, _items(self.threads))),
            sizes=tuple(map(parse_size, _items(self.sizes))),
            presets=tuple(None if name == "none" else name for name in self.presets),
            **seed,
        )


def measure_latency(options: LatencyOptions, output: Path | None, as_json: bool, plot: Path | None = None) -> int:
    """Measure, show, write; → the exit code: 1 where a configuration could not be measured, 130 after Ctrl-C.

    Raises:
        SegBenchError, SegRuntimeError: nothing could be measured at all.
    """
    matrix = options.matrix()
    if output is not None:
        check_output(output)
    if plot is not None:
        check_plot(plot)
    failures: list[tuple[str, WorkerError]] = []
    result = _measured(matrix, as_json, failures)
    for text in _said_once(((name, str(error)) for name, error in failures), len(matrix.jobs())):
        click.echo(f"segbench: {text}", err=True)
    if result.interrupted:
        click.echo(f"segbench: interrupted; {_kept(result)}", err=True)
    if result.configurations:
        _show(result, as_json)  # before the file is written: a full disk must not take it away
        if output is not None:
            write_results(output, result.to_json())
        if plot is not None:
            write_plot(distribution_plot(result), plot)
    if result.interrupted:
        return INTERRUPTED
    return REFUSED if failures else 0


def _measured(matrix: Matrix, as_json: bool, failures: list[tuple[str, WorkerError]]) -> LatencyResult:
    def complain(name: str, error: WorkerError) -> None:
        failures.append((name, error))

    return with_progress(
        "processes", lambda advance: run_latency(matrix, advance, complain), as_json=as_json, draws_alone=False
    )


def _said_once(said: Iterable[tuple[str, str]], count: int) -> list[str]:
    """`(name, text)` of some of `count` configurations → each text once, with whom it is about where that is not all."""
    names: dict[str, list[str]] = {}
    for name, text in said:
        who = names.setdefault(" ".join(text.split()), [])
        if name not in who:
            who.append(name)
    return [text if len(who) == count else f"{_who(who)}: {text}" for text, who in names.items()]


def _who(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _kept(result: LatencyResult) -> str:
    count = sum(len(one.processes) for one in result.configurations)
    if count == 0:
        return "nothing had been measured"
    return f"what follows was measured until then, in {count} process{'' if count == 1 else 'es'}"


def _show(result: LatencyResult, as_json: bool) -> None:
    if as_json:
        print_json(result.to_json())
        return
    for text in _warnings(result):
        click.echo(f"segbench: {text}", err=True)
    print_table(result)


def _warnings(result: LatencyResult) -> list[str]:
    said = [(one.name, text) for one in result.configurations for process in one.processes for text in process.warnings]
    return _said_once(said, len(result.configurations))


def _items(text: str | None) -> list[str]:
    return [] if text is None else text.split(",")
