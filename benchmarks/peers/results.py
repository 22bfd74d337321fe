"""Results of both commands: one JSON object each, with every raw value, checked before a reader relies on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from peers.masks import MasksFound
from segbench.readers import MOST, amount, amounts, whole
from segbench.results.file import read_result
from segbench.results.header import Header
from segbench.statistics.stability import Stability
from segruntime.strict_json import Fields

RUN_FORMAT, EXPORT_FORMAT = "segedge.peers", "segedge.peers.export"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Each row is measured for about `seconds` altogether, in `processes` fresh ones, in blocks of `block_seconds`."""

    processes: int = 8
    seconds: float = 12.0
    block_seconds: float = 0.25
    warmup_seconds: float = 0.5
    seed: int = 7

    @classmethod
    def from_json(cls, f: Fields) -> Effort:
        """A file may lack some."""
        return cls(**{one.name: f.raw(one.name) for one in fields(cls) if f.optional(one.name, f.raw) is not None})

    @property
    def blocks(self) -> int:
        """Of each row in each process."""
        return max(1, round(self.seconds / self.processes / self.block_seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How many times as long as the baseline, with its interval; None where there were too few processes."""

    ratio: float
    low: float | None
    high: float | None

    @classmethod
    def from_json(cls, f: Fields) -> Ratio:
        low, high = (f.nullable(key, amount(f)) for key in ("low", "high"))
        return cls(ratio=amount(f)("ratio"), low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The row that another one is compared with."""

    peer: str
    task: str

    @classmethod
    def from_json(cls, f: Fields) -> Baseline:
        return cls(peer=f.string("peer"), task=f.string("task"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """One task of one peer: `values_ms` of each process, and what they come to."""

    task: str
    title: str
    values_ms: list[list[float]]
    p50_ms: float
    p90_ms: float
    n: int
    stability: Stability
    baseline: Baseline | None
    ratio: Ratio | None

    @classmethod
    def from_json(cls, f: Fields) -> RowResult:
        baseline, ratio = (f.nullable(key, f.part) for key in ("baseline", "ratio"))
        processes = [amounts(Fields({"values_ms": one}))("values_ms") for one in f.raw("values_ms")]
        return cls(
            task=f.string("task"),
            title=f.string("title"),
            values_ms=processes,
            p50_ms=amount(f)("p50_ms"),
            p90_ms=amount(f)("p90_ms"),
            n=whole(f)("n"),
            stability=Stability.from_json(f.part("stability")),
            baseline=None if baseline is None else Baseline.from_json(baseline),
            ratio=None if ratio is None else Ratio.from_json(ratio),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerResult:
    """`failure`: why it has no rows. `requirements`: of the environment that it has of its own, None in ours."""

    name: str
    title: str
    model: str
    threads: int
    requirements: tuple[str, ...] | None
    packages: Mapping[str, str]
    notes: tuple[str, ...]
    masks: MasksFound | None
    failure: str | None
    rows: tuple[RowResult, ...]

    @classmethod
    def from_json(cls, f: Fields) -> PeerResult:
        masks = f.nullable("masks", f.part)
        return cls(
            name=f.string("name"),
            title=f.string("title"),
            model=f.string("model"),
            threads=whole(f)("threads"),
            requirements=f.nullable("requirements", f.strings),
            packages=f.string_map("packages"),
            notes=f.strings("notes"),
            masks=None if masks is None else MasksFound.from_json(masks),
            failure=f.nullable("failure", f.string),
            rows=tuple(map(RowResult.from_json, f.parts("rows", 0, MOST))),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipInfo:
    """The file's name, how many of its frames were taken, and their size."""

    file: str
    frames: int
    width: int
    height: int

    @classmethod
    def from_json(cls, f: Fields) -> ClipInfo:
        read = whole(f)
        return cls(file=f.string("file"), frames=read("frames"), width=read("width"), height=read("height"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """A model's file by its name without a folder."""

    file: str
    size_bytes: int
    sha256: str

    @classmethod
    def from_json(cls, f: Fields) -> ModelInfo:
        return cls(file=f.string("file"), size_bytes=whole(f)("size_bytes"), sha256=f.string("sha256"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """Of `python benchmarks/peers run`."""

    header: Header
    clip: ClipInfo
    models: Mapping[str, ModelInfo]
    threads: int
    effort: Effort
    peers: tuple[PeerResult, ...]
    interrupted: bool

    def to_json(self) -> dict[str, Any]:
        return self.header.to_json(
            {
                "clip": asdict(self.clip),
                "models": {name: asdict(one) for name, one in self.models.items()},
                "settings": {"threads": self.threads, **asdict(self.effort)},
                "peers": [asdict(one) for one in self.peers],
                "interrupted": self.interrupted,
            }
        )

    @classmethod
    def from_json(cls, f: Fields) -> RunResult:
        models, settings = f.part("models"), f.part("settings")
        return cls(
            header=Header.from_json(f),
            clip=ClipInfo.from_json(f.part("clip")),
            models={name: ModelInfo.from_json(models.part(name)) for name in ("tflite", "onnx")},
            threads=whole(settings)("threads"),
            effort=Effort.from_json(settings),
            peers=tuple(map(PeerResult.from_json, f.parts("peers", 1, MOST))),
            interrupted=f.boolean("interrupted"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WayResult:
    """One way from a network to a float32 .tflite: `seconds` is the median of `values_s`, `onnx_s` the ONNX file's share."""

    name: str
    title: str
    packages: Mapping[str, str]
    failure: str | None
    onnx_s: float
    values_s: tuple[float, ...]
    seconds: float | None
    size_bytes: int | None
    largest_difference: float | None
    invoke: RowResult | None

    @classmethod
    def from_json(cls, f: Fields) -> WayResult:
        invoke = f.nullable("invoke", f.part)
        return cls(
            name=f.string("name"),
            title=f.string("title"),
            packages=f.string_map("packages"),
            failure=f.nullable("failure", f.string),
            onnx_s=amount(f)("onnx_s"),
            values_s=tuple(amounts(f)("values_s")) if f.raw("values_s") else (),
            seconds=f.nullable("seconds", amount(f)),
            size_bytes=f.nullable("size_bytes", whole(f)),
            largest_difference=f.nullable("largest_difference", amount(f)),
            invoke=None if invoke is None else RowResult.from_json(invoke),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkResult:
    """One network through each way, ours first."""

    name: str
    parameters: int
    size: int
    ways: tuple[WayResult, ...]

    @classmethod
    def from_json(cls, f: Fields) -> NetworkResult:
        parameters, size = whole(f)("parameters"), whole(f)("size")
        ways = tuple(map(WayResult.from_json, f.parts("ways", 1, MOST)))
        return cls(name=f.string("name"), parameters=parameters, size=size, ways=ways)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult:
    """Of `python benchmarks/peers export`."""

    header: Header
    threads: int
    effort: Effort
    networks: tuple[NetworkResult, ...]
    interrupted: bool

    def to_json(self) -> dict[str, Any]:
        return self.header.to_json(
            {
                "settings": {"threads": self.threads, **asdict(self.effort)},
                "networks": [asdict(one) for one in self.networks],
                "interrupted": self.interrupted,
            }
        )

    @classmethod
    def from_json(cls, f: Fields) -> ExportResult:
        settings = f.part("settings")
        return cls(
            header=Header.from_json(f),
            threads=whole(settings)("threads"),
            effort=Effort.from_json(settings),
            networks=tuple(map(NetworkResult.from_json, f.parts("networks", 1, MOST))),
            interrupted=f.boolean("interrupted"),
        )


def read_run(path: Path) -> RunResult:
    """The result in `path`.

    Raises:
        ResultsError: missing, empty, not JSON, another format or version, edited, or a field is missing or wrong.
    """
    return read_result(path, RUN_FORMAT, VERSION, RunResult.from_json, command="`python benchmarks/peers run`")


def read_export(path: Path) -> ExportResult:
    """As `read_run`."""
    return read_result(path, EXPORT_FORMAT, VERSION, ExportResult.from_json, command="`python benchmarks/peers export`")
