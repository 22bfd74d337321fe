"""A bar on standard error while something runs; nothing where nobody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[["int | None"], None]  # one step done, of so many where that is known


def no_progress(_total: int | None) -> None:
    """For those who show nothing."""


@contextmanager
def progress(text: str, *, draws_alone: bool = True) -> Iterator[Advance]:
    """Shows `text`, how far it is and the time left; it knows how many steps there are from the first one on.

    `draws_alone`: also while a step runs, ten times a second. Where a step is timed, that would be timed with it.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    disable = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=disable, auto_refresh=draws_alone) as shown:
        task = shown.add_task(text, total=None)
        yield lambda total: shown.update(task, advance=1, total=total, refresh=not draws_alone)
