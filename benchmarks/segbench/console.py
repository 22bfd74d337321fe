"""What the commands share: a bar while something runs, JSON in its place, one line for what is refused, exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import click

from segbench.errors import MissingExtraError, SegBenchError
from segruntime import SegRuntimeError

T = TypeVar("T")
Advance = Callable[["int | None"], None]  # one step done, of so many where that is known
INTERRUPTED = 130  # 128 + SIGINT, as a shell says it


@contextmanager
def one_line_refusals(program: str = "segbench") -> Iterator[None]:
    """Around the body of a command: what is refused on purpose is one line on standard error and exit code 1."""
    try:
        yield
    except (SegBenchError, SegRuntimeError) as error:
        click.echo(f"{program}: {' '.join(str(error).split())}", err=True)
        sys.exit(1)


def print_json(content: Mapping[str, object]) -> None:
    click.echo(json.dumps(content, indent=1, allow_nan=False))


def require_rich() -> None:
    """Raises MissingExtraError: rich is not installed."""
    try:
        import rich  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("the table", "rich") from error


def no_progress(_total: int | None) -> None:
    """For those who show nothing."""


@contextmanager
def progress(text: str, *, draws_alone: bool = True) -> Iterator[Advance]:
    """Shows `text`, how far it is and the time left; it knows how many steps there are from the first one on.

    A bar on standard error; nothing where nobody watches. `draws_alone`: also while a step runs, ten times a second. Where a
    step is timed, that would be timed with it.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    disable = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=disable, auto_refresh=draws_alone) as shown:
        task = shown.add_task(text, total=None)
        yield lambda total: shown.update(task, advance=1, total=total, refresh=not draws_alone)


def with_progress(text: str, run: Callable[[Advance], T], *, as_json: bool, draws_alone: bool = True) -> T:
    """What `run` gives, with a bar meanwhile unless the result is for machines.

    Raises:
        MissingExtraError: rich is not installed, and the result is for people.
    """
    if as_json:
        return run(no_progress)
    require_rich()
    with progress(text, draws_alone=draws_alone) as advance:
        return run(advance)
