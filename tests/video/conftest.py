"""A network that finds what the test says, in the place of the bundled one, and a run with few words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.refusals import refusal

from segruntime.jobs import worker
from segruntime.jobs.job import run_job
from segruntime.jobs.options import JobOptions, Summary
from segruntime.run import command
from segruntime.run.command import RunOptions
from segruntime.run.statistics import Statistics

QUICK = {"preset": "ultrafast", "crf": "8"}


class Told:
    """A segmenter that finds the same mask in every frame, `value` of 0–1 up to column `until` of 32, and counts calls."""

    contract = SimpleNamespace(input=SimpleNamespace(interpolation="bilinear"))

    def __init__(self, value: float, until: int = 32) -> None:
        self.mask = np.zeros((32, 32), np.float32)
        self.mask[:, :until] = value
        self.calls = 0

    def coarse_size(self, _height: int, _width: int) -> tuple[int, int]:
        return 32, 32

    def coarse(self, _frame: Any) -> Any:
        self.calls += 1
        return self.mask.copy()


def finds(monkeypatch: pytest.MonkeyPatch, value: float, until: int = 32) -> Told:
    told = Told(value, until)
    for module in (command, worker):
        monkeypatch.setattr(module, "load", lambda *_, **__: told)
    return told


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> Told:
    """The person fills the frame: the result is the input."""
    return finds(monkeypatch, 1.0)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Nobody is there: the result is the background."""
    return finds(monkeypatch, 0.0)


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> Told:
    """The person is the left half of the frame."""
    return finds(monkeypatch, 1.0, until=16)


@pytest.fixture
def segrun() -> Callable[..., Any]:
    """`segrun(source, output, background="green", **RunOptions)`: `Statistics`, or of a folder the `Summary` of its job."""

    def run(
        source: Path | str, output: Path | str | None, background: Path | str = "green", **words: Any
    ) -> Statistics | Summary:
        options = RunOptions(
            source=str(source),
            output=None if output is None else str(output),
            background=str(background),
            **{"preset": "fast", "threads": 1, "encoder": QUICK, **words},
        )
        return run_job(JobOptions(run=options)) if Path(source).is_dir() else command.run(options)

    return run


Refuses = Callable[..., None]


@pytest.fixture
def refuses(tmp_path: Path, segrun: Callable[..., Statistics]) -> Refuses:
    """`refuses(error, message, source, output, …)`: `segrun` says so in one line and changes nothing in `tmp_path`."""

    def lying() -> dict[Path, bytes | None]:
        return {path: path.read_bytes() if path.is_file() else None for path in tmp_path.rglob("*")}

    def check(error: type[Exception], message: str, *words: Any, **options: Any) -> None:
        before = lying()
        refusal(error, segrun, *words, match=message, **options)
        assert lying() == before

    return check


@pytest.fixture
def nothing_else(tmp_path: Path) -> Iterator[set[str]]:
    """A set to name what may be in `tmp_path` at the end of the test; hidden drafts are never in it."""
    names: set[str] = set()
    yield names
    assert {path.name for path in tmp_path.iterdir()} == names
