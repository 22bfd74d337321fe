"""A job on the command line: its options, what it shows while it runs, and `segrun status`."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from segruntime.errors import OptionError, OutputError, SegRuntimeError
from segruntime.jobs.executors import ENGINES, Crew
from segruntime.jobs.job import run_job
from segruntime.jobs.journal import JOURNAL, read_record
from segruntime.jobs.options import JobOptions, Summary
from segruntime.jobs.place import Place
from segruntime.jobs.progress import Progress
from segruntime.run.command import RunOptions
from segruntime.run.console import say

_SHOWN = 20
_SHIFTS = {"K": 10, "M": 20, "G": 30}


def job_words(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that make a run a job; a folder always is one."""
    for option in (
        click.option("--resume", is_flag=True, help="Go on with what is left of a job."),
        click.option("--segment", metavar="SECONDS", type=float, help="Cut long videos about so often."),
        click.option(
            "--workers", metavar="N", type=click.IntRange(1), help="So many processes, or actors of a cluster."
        ),
        click.option("--limit-memory", metavar="SIZE", help="Of each worker, like 800M or 2G; more ends it."),
        click.option(
            "--engine", type=click.Choice(list(ENGINES)), default="local", help="Who does it. Default: local."
        ),
        click.option("--address", help="Of the cluster: auto, or ray://HOST:PORT. Default: one on this machine."),
    ):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True, kw_only=True)
class JobWords:
    """As they were typed."""

    resume: bool
    segment: float | None
    workers: int | None
    limit_memory: str | None
    engine: str
    address: str | None

    def options(self, run: RunOptions) -> JobOptions | None:
        """The job that they ask for; None where it is none.

        Raises:
            OptionError: they do not go with one another or with the input.
        """
        is_asked = self != JobWords(
            resume=False, segment=None, workers=None, limit_memory=None, engine="local", address=None
        )
        if not is_asked and not Path(run.source).is_dir():
            return None
        crew = Crew(
            engine=self.engine,
            workers=self.workers,
            limit_bytes=None if self.limit_memory is None else _bytes(self.limit_memory),
            address=self.address,
        )
        return JobOptions(run=run, crew=crew, segment_s=self.segment, is_resumed=self.resume)


def _bytes(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,6})([KMG])B?", text.strip().upper())
    if found is None:
        raise OptionError(f"limit-memory: got {text[:20]!r}, expected a size like 800M or 2G")
    return int(found[1]) << _SHIFTS[found[2]]


class JobBar:
    """On standard error: how far it is, with the numbers of `segrun status`."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __enter__(self) -> JobBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()

    def __call__(self, progress: Progress) -> None:
        if self._bar is None:
            self._bar = click.progressbar(length=progress.files, file=sys.stderr, item_show_func=str)
        self._bar.update(progress.files - progress.left - self._bar.pos, progress.line())


def run_and_report(options: JobOptions, *, as_json: bool) -> int:
    """Run a job and say what came of it; the exit code."""
    is_watched = sys.stderr.isatty() and not as_json
    with JobBar() as bar:
        summary = run_job(options, bar if is_watched else None, say)
    report(summary, str(options.run.output), as_json=as_json)
    return summary.exit_code


def report(summary: Summary, output: str, *, as_json: bool) -> None:
    """The notes and errors on standard error, and the result on standard output."""
    told = (
        (summary.notes, "notes; --json prints them all"),
        (summary.errors, f"failed; segrun status {output} --json names them all"),
    )
    for lines, rest in told:
        for line in lines[:_SHOWN]:
            say(line)
        if len(lines) > _SHOWN:
            say(f"and {len(lines) - _SHOWN} more {rest}")
    click.echo(json.dumps(summary.to_json(), indent=1) if as_json else summary.progress.line())
    if summary.is_interrupted:
        say("stopped; the same command goes on with what is left")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("output", metavar="OUTPUT")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status(output: str, as_json: bool) -> None:
    """What a job has done, what failed, what is left, its rate, and the time left.

    OUTPUT is what was given to segrun with -o, a folder or a file.

    \b
      segrun status out/
    """
    try:
        told = job_status(Path(output))
    except SegRuntimeError as error:
        say(str(error))
        sys.exit(1)
    if as_json:
        click.echo(json.dumps(told, indent=1))
        return
    click.echo(told["line"])
    for line in told["errors"][:_SHOWN]:
        click.echo(f"  {line}")


def job_status(output: Path) -> dict[str, Any]:
    """How far the job in `output` is, from its journal alone.

    Raises:
        OutputError: there is none, or its journal is damaged.
    """
    place = Place.of(output, is_folder=output.is_dir())
    try:
        record, _ = read_record(place.state / JOURNAL)
        last_s = (place.state / JOURNAL).stat().st_mtime
    except OSError as error:
        raise OutputError(
            f"{output}: holds no job that was begun and not ended, expected a folder or file that was given with -o"
        ) from error
    is_running = place.is_held()
    progress = Progress.of(record, time.time() if is_running else last_s)
    line = progress.line()
    if progress.left and not is_running:
        line += "; nobody works on it, the same command goes on"
    return {**progress.to_json(), "running": is_running, "errors": record.errors("failed"), "line": line}
