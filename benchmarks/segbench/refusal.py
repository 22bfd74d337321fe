"""How a command ends on what the benchmark or the runtime refuses: one line on standard error, exit code 1."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from segbench.errors import SegBenchError
from segruntime import SegRuntimeError


@contextmanager
def one_line_refusals() -> Iterator[None]:
    """Around the body of a command."""
    try:
        yield
    except (SegBenchError, SegRuntimeError) as error:
        click.echo(f"segbench: {' '.join(str(error).split())}", err=True)
        sys.exit(1)
