"""How fast it still is after minutes: a board that grows hot turns its clock down."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import segruntime
from segbench.errors import OptionError
from segbench.frames.drawn import Frame, drawn_background
from segbench.frames.source import open_feed
from segbench.latency.chain import Chain
from segbench.latency.mask_check import check
from segbench.machine.cpu_contention import others_seconds
from segbench.machine.describe import describe_machine, with_sensors_after
from segbench.machine.sensors import read_sensors
from segbench.process.job import Job
from segbench.results.header import header_of, sealed
from segbench.results.subject import Subject
from segbench.results.sustained import FORMAT, VERSION, Minute, SustainedResult
from segbench.sustained.minutes import Gauges, measure_minutes
from segruntime.processor import ROOT

MOST_MINUTES = 120.0
_WARM_UP = 10
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
) -> SustainedResult:
    """Frame → composite without a pause. Ctrl-C ends early and keeps what was measured.

    Raises:
        SegBenchError, SegRuntimeError: the model or the input cannot be used. KeyboardInterrupt: nothing was measured yet.
    """
    machine = describe_machine(sys_root)
    loaded = load_subject(job.subject())
    gauges = Gauges(sensors=lambda: read_sensors(sys_root), others=lambda: others_seconds(sys_root))
    minutes, interrupted = measure_minutes(loaded.one_pass, loaded.frames, gauges, job.minutes, tell)
    if not minutes:
        raise KeyboardInterrupt
    return sealed(
        SustainedResult(
            header=header_of(FORMAT, VERSION, with_sensors_after(machine, sys_root)),
            asked_minutes=job.minutes,
            subject=loaded.subject,
            minutes=tuple(minutes),
            last_to_first=last_to_first(minutes),
            interrupted=interrupted,
            warnings=tuple(_warnings(minutes)),
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSubject:
    """`one_pass`: a frame `(H, W, 3) uint8, BGR` → its composite; `frames`: without end."""

    one_pass: Callable[[Frame], object]
    frames: Iterator[Frame]
    subject: Subject


def load_subject(job: Job) -> LoadedSubject:
    """Check the masks as before every measurement, load the model afresh, and warm it up with ten passes.

    Raises:
        PictureError, ClipError, WrongMaskError: see `segbench.errors`. SegRuntimeError: the model cannot be loaded.
    """
    subject = check(job)
    feed = open_feed(job)
    segmenter = segruntime.load(job.model, backend=job.backend, threads=job.threads)
    chain = Chain(segmenter, job.preset, drawn_background(feed.first.shape[1], feed.first.shape[0]))
    for _ in range(_WARM_UP):
        chain.whole(feed.first)
    return LoadedSubject(one_pass=chain.whole, frames=(frame for frame, _ in feed.frames), subject=subject)


def last_to_first(minutes: list[Minute]) -> float | None:
    """How many times as long the last minute's median is as the first's; a rest below 30 seconds is left out."""
    compared = [one for one in minutes if one.seconds >= _LEAST_SECONDS]
    return compared[-1].p50_ms / compared[0].p50_ms if len(compared) > 1 else None


def missing_sensors(minutes: list[Minute]) -> list[str]:
    """What this machine does not tell about itself."""
    return [word for key, word in _SENSORS.items() if all(getattr(one, key) is None for one in minutes)]


def _warnings(minutes: list[Minute]) -> list[str]:
    missing, found = missing_sensors(minutes), []
    if missing:
        found.append(
            f"this machine has no {' and no '.join(missing)} that can be read; whether it slows down, the times tell"
        )
    busiest = max(one.others_cores or 0.0 for one in minutes)
    if busiest > _OTHERS_LIMIT:
        found.append(f"other programs took up to {busiest:.1f} cores: what they slow down is not heat; close them")
    return found
