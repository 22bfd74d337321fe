"""A result for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from segbench.errors import MissingExtraError

LABELS = {
    "preprocess": "preprocess",
    "invoke": "invoke",
    "postprocess": "postprocess",
    "alpha": "frame → alpha",
    "composite": "composite",
}
_COLUMNS = ("p50", "p90", "p99", "mean", "std", "min")


def require_rich() -> None:
    """Raises MissingExtraError: rich is not installed."""
    try:
        import rich  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("the table", "rich") from error


@contextmanager
def working(text: str) -> Iterator[None]:
    """A line on standard error that moves while something runs; nothing where nobody watches."""
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


def print_table(result: dict[str, Any]) -> None:
    """The table on standard output."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    for line in headline(result):
        console.print(line, markup=False, soft_wrap=True)
    table = Table()
    table.add_column("ms")
    for name in (*_COLUMNS, "n"):
        table.add_column(name, justify="right")
    for name, stage in result["stages"].items():
        cells = [f"{stage[f'{column}_ms']:.2f}" for column in _COLUMNS]
        table.add_row(LABELS[name], *cells, str(stage["n"]), style="bold" if name == "alpha" else None)
    console.print(table)
    console.print(footline(result), markup=False, soft_wrap=True)


def headline(result: dict[str, Any]) -> list[str]:
    """Model and machine, one line each."""
    model, frame, machine = result["model"], result["frame"], result["machine"]
    threads = f"{result['threads']} thread{'s' if result['threads'] > 1 else ''}"
    return [
        f"{model['name']}: {model['precision']}, {model['size_bytes'] / 1e6:.2f} MB, "
        f"{model['library']} {model['library_version']}, {threads}, {frame['width']}x{frame['height']} ({frame['source']})",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, load {machine['load_average_1min']:.2f}",
    ]


def footline(result: dict[str, Any]) -> str:
    """What is not a stage."""
    return (
        f"{result['frames_per_second']:.0f} frames/s at p50; load {result['load_ms']:.0f} ms, "
        f"first mask {result['first_mask_ms']:.1f} ms, peak memory {result['peak_memory_bytes'] / 1e6:.0f} MB"
    )
