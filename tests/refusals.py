"""How a command and a reader refuse: one short line, and nothing printed or made beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import pytest
from click.testing import CliRunner, Result


class Ended(Protocol):
    """A command that has ended: click's `Result`, or what stands for one."""

    @property
    def exit_code(self) -> int: ...
    @property
    def stdout(self) -> str: ...
    @property
    def stderr(self) -> str: ...


def run_segbench(*words: object) -> Result:
    from segbench.cli import main

    return CliRunner().invoke(main, [str(word) for word in words])


def run_segrun(*words: object) -> Result:
    from segruntime.cli import main

    return CliRunner().invoke(main, [str(word) for word in words], prog_name="segrun")


def refused(ran: Ended, program: str = "segbench", *, progress: tuple[str, ...] = ()) -> str:
    """The one line on standard error of a command that ends with 1, apart from lines that begin like `progress`."""
    assert ran.exit_code == 1, (ran.exit_code, ran.stdout, ran.stderr)
    assert ran.stdout == ""
    lines = [line for line in ran.stderr.splitlines() if not (progress and line.startswith(progress))]
    assert len(lines) == 1, ran.stderr
    assert lines[0].startswith(f"{program}: ")
    return lines[0]


def refusal(
    error: type[Exception] | tuple[type[Exception], ...],
    call: Callable[..., Any],
    *arguments: Any,
    match: str | None = None,
    starts: str = "",
    most: int = 900,
    **options: Any,
) -> str:
    """The message of an `error` of at most so many characters, all of them printable: one line."""
    with pytest.raises(error, match=match) as caught:
        call(*arguments, **options)
    message = str(caught.value)
    assert message.startswith(starts), message
    assert message.isprintable(), message
    assert len(message) <= most, message
    return message
