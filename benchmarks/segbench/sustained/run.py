"""How fast it still is after minutes: a board that grows hot turns its clock down."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import segruntime
from segbench.errors import OptionError
from segbench.machine.cpu_contention import others_seconds
from segbench.machine.describe import describe_machine, with_sensors_after
from segbench.machine.sensors import read_sensors
from segbench.process.job import Job
from segbench.results.file import with_digest
from segbench.results.sustained import FORMAT, VERSION
from segbench.sustained.minutes import Minute, measure_minutes
from segbench.sustained.subject import Subject, load_subject
from segruntime.processor import ROOT

MOST_MINUTES = 120.0
_LEAST_SECONDS = 30.0  # a shorter rest of a minute is not compared with the first one
_OTHERS_LIMIT = 0.25  # of a core; an idle system takes some hundredths
_SENSORS = {
    "temperature_c": "thermometer",
    "frequency_mhz": "clock",
    "throttled": "sign of throttling",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SustainedJob:
    """What to run for how long. `None` leaves the choice to the runtime (model, backend, threads) or the input (size).

    `input`: a picture or a video; None: a drawn frame. `preset`: how masks are refined; None: not at all.
    """

    minutes: float = 10.0
    model: Path | None = None
    backend: str | None = None
    threads: int | None = None
    size: tuple[int, int] | None = None
    input: Path | None = None
    preset: str | None = None

    def __post_init__(self) -> None:
        if type(self.minutes) not in (int, float) or not math.isfinite(self.minutes) or self.minutes <= 0:
            raise OptionError(f"minutes: got {self.minutes!r}, expected a number above 0")
        if self.minutes > MOST_MINUTES:
            raise OptionError(f"minutes: got {self.minutes:g}, expected at most {MOST_MINUTES:g}; it is kept in memory")
        self.subject()

    def subject(self) -> Job:
        """Raises OptionError: a value that cannot be used."""
        width, height = self.size or (None, None)
        return Job(
            model=None if self.model is None else str(self.model),
            backend=self.backend,
            threads=self.threads,
            width=width,
            height=height,
            input=None if self.input is None else str(self.input),
            preset=self.preset,
        )


def run_sustained(
    job: SustainedJob, tell: Callable[[Minute], None] = lambda _: None, sys_root: Path = ROOT
) -> dict[str, Any]:
    """Frame → composite without a pause; `minutes` as `segbench.sustained.minutes` has them, raw values included.

    Ctrl-C ends early and keeps what was measured. `last_to_first`: the median of the last minute over that of the first, None
    where there is no second minute of at least 30 seconds.

    Raises:
        SegBenchError, SegRuntimeError: the model or the input cannot be used. KeyboardInterrupt: nothing was measured yet.
    """
    machine = describe_machine(sys_root)
    subject = load_subject(job.subject())
    minutes, interrupted = measure_minutes(
        subject.one_pass,
        subject.frames,
        lambda: read_sensors(sys_root),
        lambda: others_seconds(sys_root),
        job.minutes,
        tell,
    )
    if not minutes:
        raise KeyboardInterrupt
    return with_digest(_result(job, subject, with_sensors_after(machine, sys_root), minutes, interrupted))


def last_to_first(minutes: list[Minute]) -> float | None:
    """How many times as long the last minute's median is as the first's; a rest below 30 seconds is left out."""
    compared = [one for one in minutes if one["seconds"] >= _LEAST_SECONDS]
    return float(compared[-1]["p50_ms"] / compared[0]["p50_ms"]) if len(compared) > 1 else None


def missing_sensors(minutes: list[Minute]) -> list[str]:
    """What this machine does not tell about itself."""
    return [word for key, word in _SENSORS.items() if all(one[key] is None for one in minutes)]


def _result(
    job: SustainedJob, subject: Subject, machine: dict[str, Any], minutes: list[Minute], interrupted: bool
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "segbench_version": segruntime.__version__,
        "machine": machine,
        "settings": {"minutes": job.minutes},
        **subject.facts,
        "minutes": minutes,
        "last_to_first": last_to_first(minutes),
        "interrupted": interrupted,
        "warnings": _warnings(minutes),
    }


def _warnings(minutes: list[Minute]) -> list[str]:
    missing, found = missing_sensors(minutes), []
    if missing:
        found.append(
            f"this machine has no {' and no '.join(missing)} that can be read; whether it slows down, the times tell"
        )
    busiest = max(one["others_cores"] or 0.0 for one in minutes)
    if busiest > _OTHERS_LIMIT:
        found.append(f"other programs took up to {busiest:.1f} cores: what they slow down is not heat; close them")
    return found
