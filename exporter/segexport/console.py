"""How segexport talks to people: steps with their time on standard error, tables on standard output.

rich draws both where it is installed; on a machine that has only the runtime, plain text does.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from segexport.compare.rows import FileRow
from segexport.errors import plural
from segexport.pictures.doctor import Diagnosis
from segruntime.model_file.self_test import SelfTest

if TYPE_CHECKING:
    from segexport.networks.inspection import Inspection, RecognisedNetwork

Cells = Sequence[str]
_PIPED_WIDTH = 140
_COUNT = re.compile(r"(\d+)/(\d+)$")


class Console:
    """Progress for people; silent where `quiet`, plain lines where standard error is no terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._advance: Callable[[str], None] | None = None

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """A line with the time it took; while it runs, a bar, and `say` tells what it is at."""
        started = time.monotonic()
        rich = None if self._quiet or not sys.stderr.isatty() else _rich_console(sys.stderr)
        if rich is None:
            yield
        else:
            with _bar(rich, title) as self._advance:
                yield
            self._advance = None
        self.note(f"✓ {title}  {time.monotonic() - started:.1f} s")

    def say(self, text: str) -> None:
        """What a step is at; where the text ends in `3/50`, the bar shows it."""
        if self._advance is not None:
            self._advance(text)

    def warn(self, text: str) -> None:
        self._print(f"warning: {text}")

    def note(self, text: str) -> None:
        if not self._quiet:
            self._print(text)

    def _print(self, text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


_FILE_HEADER = ("file", "MB", "max diff", "mean diff", "mask IoU", "changed", "edge F", "ms", " ")


def print_file_table(rows: Sequence[FileRow], *, title: str) -> None:
    """Model files against PyTorch, one a line; it fits into 80 columns."""
    print_table(title, _FILE_HEADER, [_cells(row) for row in rows])


def file_table(rows: Sequence[FileRow]) -> str:
    """The same as plain text, without a title."""
    return _aligned(_FILE_HEADER, [_cells(row) for row in rows]).rstrip("\n")


def print_self_test(result: SelfTest, *, title: str) -> None:
    """The golden pictures of one model file, one a line: against PyTorch, and against the mask as it was made."""
    header = ("picture", "IoU PyTorch", "IoU as made", "max diff", "mean diff", " ")
    rows = [
        (
            one.name,
            f"{one.iou_pytorch:.4f}",
            f"{one.iou_made:.4f}",
            f"{one.max_difference:.1e}",
            f"{one.mean_difference:.1e}",
            "same" if result.bound.holds(one) else "not the same",
        )
        for one in result.pictures
    ]
    print_table(title, header, rows)


def print_inspection(found: Inspection) -> None:
    """What `segexport inspect` found, a fact a line."""
    network = found["network"]
    facts = {
        "file": f"{found['path']}, {found['size_bytes'] / 1e6:.2f} MB, sha256 {found['sha256'][:16]}…",
        "container": f"{found['container']}, {found['kind']}"
        + (f" under {found['entry']!r}" if found["entry"] else ""),
        "saved class": found["saved_class"],
        "prefix": found["prefix"],
        "weights": f"{found['tensors']} tensors, {found['values']:,} values, "
        + ", ".join(f"{count} {name}" for name, count in found["dtypes"].items()),
        "devices": ", ".join(device for device in found["devices"] if device != "cpu"),
        **({"network": "not recognised"} if network is None else _network_facts(network)),
        **{f"note {index}": note for index, note in enumerate(found["notes"], 1)},
    }
    print_table(None, ("", ""), [(name, str(value)) for name, value in facts.items() if value])


def print_diagnosis(found: Diagnosis) -> None:
    """What the calibration doctor found, a finding a line."""
    sizes = ", ".join(f"{name} {h}x{w}" for name, (h, w) in found.sizes.items())
    light = f"{found.brightness['mean']:.0f} of 255, ±{found.brightness['spread']:.0f}"
    facts = [("pictures", f"{found.found} found, {found.usable} usable"), ("sizes", sizes), ("brightness", light)]
    rows = [*facts, *((finding.level, finding.text) for finding in found.findings)]
    print_table(f"{found.folder}", ("", ""), rows)


def _network_facts(network: RecognisedNetwork) -> dict[str, str]:
    height, width = network["default_size"]
    return {
        "network": f"{network['name']}: {network['variant']}",
        "because": "; ".join(network["reasons"]),
        "parameters": f"{network['parameters']:,}",
        "output": f"{plural(network['out_channels'], 'channel')}, person {network['person_channel']}",
        "input": f"{network['size_rule']}; default {height}x{width}",
    }


def print_table(title: str | None, header: Cells, rows: Sequence[Cells]) -> None:
    """A table on standard output: rich's, or aligned columns. The first column and text columns are flush left."""
    sys.stdout.write(f"{title}\n" if title else "")
    rich = _rich_console(sys.stdout)
    if rich is None:
        sys.stdout.write(_aligned(header, rows))
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(
        show_header=any(header),
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for index, name in enumerate(header):
        numbers = index > 0 and bool(name.strip())
        table.add_column(name, justify="right" if numbers else "left", no_wrap=numbers or index == 0, overflow="fold")
    for row in rows:
        table.add_row(*(_escaped(cell) for cell in row))
    rich.print(table)


def _cells(row: FileRow) -> Cells:
    return (
        row.precision,
        f"{row.size_bytes / 1e6:.2f}",
        f"{row.max_difference:.1e}",
        f"{row.mean_difference:.1e}",
        f"{row.mask_iou:.4f}",
        f"{100 * row.changed_pixels:.3f} %",
        f"{row.boundary_f:.4f}",
        f"{row.invoke_p50_ms:.1f}",
        "ok" if row.within_bound else "over, kept" if row.kept else "over, not kept",
    )


def _aligned(header: Cells, rows: Sequence[Cells]) -> str:
    lines = [header, *rows] if any(header) else list(rows)
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join(text) + "\n"


@contextmanager
def _bar(console: Any, title: str) -> Iterator[Callable[[str], None]]:
    """A bar that moves to and fro until a text ends in a count; gone when the step ends."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    words = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("{task.fields[at]}"),
    )
    with Progress(SpinnerColumn(), *words, console=console, transient=True) as progress:
        task = progress.add_task(_escaped(title), total=None, at="")

        def advance(text: str) -> None:
            found = _COUNT.search(text)
            done, total = (int(found.group(1)), int(found.group(2))) if found else (0, None)
            progress.update(task, completed=done, total=total, at=_escaped(text))

        yield advance


def _escaped(text: str) -> str:
    """Brackets in file names are no markup."""
    from rich.markup import escape

    return escape(text)


def _rich_console(stream: Any) -> Any:
    try:
        from rich.console import Console as RichConsole
    except ImportError:
        return None
    return RichConsole(file=stream, width=None if stream.isatty() else _PIPED_WIDTH)
