"""A bar on standard error while something runs; nothing where nobody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[["int | None"], None]  # one step done, of so many where that is known


def no_progress(_total: int | None) -> None:
    """For those who show nothing."""


@contextmanager
def progress(text: str) -> Iterator[Advance]:
    """Shows `text`, how far it is and the time left; it knows how many steps there are from the first one on."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(text, total=None)
        yield lambda total: shown.update(task, advance=1, total=total)
