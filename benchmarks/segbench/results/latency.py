"""Latency results, version 2: one JSON object with every raw value, what was measured, and on what.

The classes below are what a reader may rely on. Fields beyond theirs may be in a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from segbench.process.job import Effort
from segbench.readers import MOST, amount, amounts, by_name, whole
from segbench.results.file import read_result
from segbench.results.header import Header
from segbench.results.subject import Subject
from segbench.statistics.stability import Stability, stability
from segbench.statistics.summary import Summary, summarize
from segruntime.strict_json import Fields

FORMAT = "segedge.segbench"
VERSION = 2
STAGES = ("decode", "preprocess", "invoke", "postprocess", "refine", "alpha", "composite", "whole")


class ConfigurationKey(NamedTuple):
    """What has to be equal before two configurations are compared; the fields are the axes of `segbench compare`.

    The model by the SHA-256 of its file, the frame by its size `(width, height)` and where it came from. The library's
    version is not among them: whether an update made it slower is a fair question.
    """

    model: str
    backend: str
    threads: int
    size: tuple[int, int]
    source: str
    preset: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one process found: `values_ms` holds the raw values of every stage in the order they were measured.

    `baseline_memory_bytes`: what the process held before the model was loaded: Python, the libraries and the frame.
    `started_at`: in seconds since 1970; None in a file of before.
    """

    started_at: float | None = None
    load_ms: float
    first_mask_ms: float
    import_ms: float
    baseline_memory_bytes: int
    peak_memory_bytes: int
    values_ms: dict[str, list[float]]
    late_frames: int | None
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, f: Fields) -> Measurement:
        return cls(
            started_at=f.optional("started_at", f.number),
            load_ms=amount(f)("load_ms"),
            first_mask_ms=amount(f)("first_mask_ms"),
            import_ms=amount(f)("import_ms"),
            baseline_memory_bytes=whole(f)("baseline_memory_bytes"),
            peak_memory_bytes=whole(f)("peak_memory_bytes"),
            values_ms=by_name(f, "values_ms", STAGES, amounts),
            late_frames=f.nullable("late_frames", whole(f)),
            warnings=f.strings("warnings"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """One subject, measured in `processes`; `stages` and `stability` over the values of all of them."""

    name: str
    subject: Subject
    processes: tuple[Measurement, ...]
    stages: dict[str, Summary]
    stability: dict[str, Stability]
    frames_per_second: float

    @classmethod
    def of(cls, name: str, subject: Subject, processes: Sequence[Measurement]) -> Configuration:
        """With its statistics; of at least one process."""
        names = [stage for stage in STAGES if stage in processes[0].values_ms]
        values = {stage: [one.values_ms[stage] for one in processes] for stage in names}
        stages = {stage: summarize([v for part in parts for v in part]) for stage, parts in values.items()}
        return cls(
            name=name,
            subject=subject,
            processes=tuple(processes),
            stages=stages,
            stability={stage: stability(parts) for stage, parts in values.items()},
            frames_per_second=1e3 / stages["whole"].p50_ms,
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            **self.subject.to_json(),
            "processes": [one.to_json() for one in self.processes],
            "stages": {stage: one.to_json() for stage, one in self.stages.items()},
            "stability": {stage: one.to_json() for stage, one in self.stability.items()},
            "frames_per_second": self.frames_per_second,
        }

    @classmethod
    def from_json(cls, f: Fields) -> Configuration:
        made = cls(
            name=f.string("name"),
            subject=Subject.from_json(f),
            processes=tuple(map(Measurement.from_json, f.parts("processes", 1, MOST))),
            stages=by_name(f, "stages", STAGES, lambda g: lambda stage: Summary.from_json(g.part(stage))),
            stability=by_name(f, "stability", STAGES, lambda g: lambda stage: Stability.from_json(g.part(stage))),
            frames_per_second=amount(f)("frames_per_second"),
        )
        if "whole" not in made.stages:
            f.fail("stages", "'whole' among them, the time from frame to composite")
        named = [set(made.stability), *(set(one.values_ms) for one in made.processes)]
        if any(names != set(made.stages) for names in named):
            f.fail("stages", "the same stages as in stability and values_ms")
        return made

    @property
    def key(self) -> ConfigurationKey:
        one = self.subject
        return ConfigurationKey(
            model=one.model.sha256,
            backend=one.library.backend,
            threads=one.threads,
            size=(one.frame.width, one.frame.height),
            source=one.frame.source,
            preset=one.preset,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How much was measured, and how: see `segbench.process.job.Job`; `seed` of the order of the processes."""

    effort: Effort
    rate: float | None
    least_mask_iou: float | None
    seed: int | None

    def to_json(self) -> dict[str, Any]:
        rest = {"rate": self.rate, "least_mask_iou": self.least_mask_iou, "seed": self.seed}
        return {**asdict(self.effort), **rest}

    @classmethod
    def from_json(cls, f: Fields) -> Settings:
        return cls(
            effort=Effort.from_json(f),
            rate=f.optional("rate", f.number),
            least_mask_iou=f.optional("least_mask_iou", f.number),
            seed=f.optional("seed", whole(f)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyResult:
    """What `segbench -o` writes. `interrupted`: Ctrl-C ended it, it holds what was measured until then."""

    header: Header
    settings: Settings
    configurations: tuple[Configuration, ...]
    interrupted: bool

    def to_json(self) -> dict[str, Any]:
        return self.header.to_json(
            {
                "settings": self.settings.to_json(),
                "configurations": [one.to_json() for one in self.configurations],
                "interrupted": self.interrupted,
            }
        )

    @classmethod
    def from_json(cls, f: Fields) -> LatencyResult:
        return cls(
            header=Header.from_json(f),
            settings=Settings.from_json(f.part("settings")),
            configurations=tuple(map(Configuration.from_json, f.parts("configurations", 1, MOST))),
            interrupted=f.boolean("interrupted"),
        )


def read_latency(path: Path) -> LatencyResult:
    """The result in `path`.

    Raises:
        ResultsError: missing, empty, not JSON, not ours, of another version, edited, or a field is missing or wrong.
    """
    return read_result(path, FORMAT, VERSION, LatencyResult.from_json, command="segbench")
