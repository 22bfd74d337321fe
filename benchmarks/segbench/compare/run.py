"""Two results → what is faster or slower, and how well that is known."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

from segbench.compare.match import configuration_differences, differences, matched
from segbench.results.latency import Configuration, LatencyResult, Measurement
from segbench.statistics.bootstrap import CONFIDENCE, FEWEST_PROCESSES, MedianRatio, median_ratio

FORMAT = "segedge.segbench.comparison"
VERSION = 1
Verdict = Literal["faster", "slower", "no difference seen", "too few processes to tell", "the machine changed"]
_TURNS = "measured one after the other: what the machine did meanwhile counts as a difference"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRatio:
    """How many times as long B takes in one stage, and what its interval says."""

    ratio: MedianRatio
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self.ratio), "verdict": self.verdict}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two configurations, by name. `processes`: how many of A's and of B's were compared, `paired` round by round.

    `verdict`: that of the whole, beside what importing took; `imports` is how many times as long importing took, where the
    sides were not measured in turn on one machine.
    """

    a: str
    b: str
    differences: list[str]
    processes: tuple[int, int]
    paired: bool
    verdict: Verdict
    imports: MedianRatio | None
    stages: dict[str, StageRatio]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "stages": {name: one.to_json() for name, one in self.stages.items()}}

    @property
    def whole(self) -> MedianRatio:
        return self.stages["whole"].ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One of the two results, under the name that it was given by."""

    name: str
    digest: str
    measured_at: str
    cpu: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedResults:
    """What `segbench compare --json` gives; `confidence` of all intervals."""

    a: Origin
    b: Origin
    axes: list[str]
    confidence: float
    differences: list[str]
    warnings: list[str]
    comparisons: list[Comparison]

    def to_json(self) -> dict[str, Any]:
        comparisons = [one.to_json() for one in self.comparisons]
        return {"format": FORMAT, "version": VERSION, **asdict(self), "comparisons": comparisons}


def compare_results(
    a: LatencyResult, b: LatencyResult, *, axes: Collection[str] = (), names: tuple[str, str] = ("A", "B")
) -> ComparedResults:
    """`a` and `b` may be the same result; `axes`: what may differ, of `AXES`.

    The verdicts say how B is next to A. `verdict` of a comparison is that of the whole, frame to composite.

    Raises:
        ComparisonError: see `matched`.
    """
    pairs = matched(a, b, axes)
    same_run = a.header.digest == b.header.digest
    same_work = "machine" not in axes
    return ComparedResults(
        a=_origin(a, names[0]),
        b=_origin(b, names[1]),
        axes=sorted(axes),
        confidence=CONFIDENCE,
        differences=differences(a, b),
        warnings=[
            *_interrupted(a, names[0]),
            *([] if same_run else _interrupted(b, names[1])),
            *_left_out(b, pairs),
        ],
        comparisons=[_compared(one, other, same_run, same_work) for one, other in pairs],
    )


def slower_than(result: ComparedResults, share: float) -> list[Comparison]:
    """The comparisons whose whole is slower by more than `share`, even at the lower end of its interval."""
    return [one for one in result.comparisons if one.verdict == "slower" and (one.whole.low or 0.0) > 1 + share]


def in_turn(a: Sequence[Measurement], b: Sequence[Measurement]) -> bool:
    """Do the processes say when they started, and ran A's first and B's first in any order, then both second, and so on?"""
    if len(a) != len(b):
        return False
    starts = [(one.started_at, other.started_at) for one, other in zip(a, b, strict=True)]
    rounds = [(min(one, other), max(one, other)) for one, other in starts if one is not None and other is not None]
    return len(rounds) == len(starts) and all(before[1] < after[0] for before, after in pairwise(rounds))


def _compared(a: Configuration, b: Configuration, same_run: bool, same_work: bool) -> Comparison:
    processes = a.processes, b.processes
    # an interrupted run may have ended within its last round
    if same_run:
        processes = processes[0][: len(processes[1])], processes[1][: len(processes[0])]
    paired = same_run or in_turn(*processes)
    stages = _common_stages(a.stages, b.stages)
    ratios = {stage: median_ratio(*(_values(side, stage) for side in processes), paired=paired) for stage in stages}
    verdict, machine = verdict_of(ratios["whole"]), None
    if not paired and same_work:
        machine = median_ratio(*(_imports(side) for side in processes), paired=False)
        verdict = _beside_imports(verdict, processes)
    return Comparison(
        a=a.name,
        b=b.name,
        differences=configuration_differences(a, b),
        processes=(len(processes[0]), len(processes[1])),
        paired=paired,
        verdict=verdict,
        imports=machine,
        stages={stage: StageRatio(ratio=ratio, verdict=verdict_of(ratio)) for stage, ratio in ratios.items()},
        warnings=() if paired else (_TURNS,),
    )


def verdict_of(ratio: MedianRatio) -> Verdict:
    """By the interval alone: B is slower where all of it lies above 1, faster where all of it lies below."""
    if ratio.low is None or ratio.high is None:
        return "too few processes to tell"
    if ratio.low > 1:
        return "slower"
    return "faster" if ratio.high < 1 else "no difference seen"


def _beside_imports(verdict: Verdict, processes: Sequence[Sequence[Measurement]]) -> Verdict:
    """Importing is the same work on both sides: a difference that it shows too is the machine's, not the model's."""
    if verdict not in ("faster", "slower"):
        return verdict
    relative = [
        [[value / one.import_ms for value in one.values_ms["whole"]] for one in side if one.import_ms > 0]
        for side in processes
    ]
    if min(map(len, relative)) < FEWEST_PROCESSES:
        return verdict
    return verdict if verdict_of(median_ratio(*relative, paired=False)) == verdict else "the machine changed"


def _common_stages(a: Collection[str], b: Collection[str]) -> list[str]:
    """Without `postprocess` where only one side refines: it ends at the network's scale there, at the frame's here."""
    other_work = {"postprocess"} if ("refine" in a) != ("refine" in b) else set()
    return [stage for stage in a if stage in b and stage not in other_work]


def _values(processes: Sequence[Measurement], stage: str) -> list[list[float]]:
    return [one.values_ms[stage] for one in processes]


def _imports(processes: Sequence[Measurement]) -> list[list[float]]:
    return [[one.import_ms] for one in processes]


def _origin(result: LatencyResult, name: str) -> Origin:
    header = result.header
    return Origin(name=name, digest=header.digest, measured_at=header.measured_at, cpu=header.machine.cpu)


def _interrupted(result: LatencyResult, name: str) -> list[str]:
    return [f"{name} was interrupted: it holds what was measured until then"] if result.interrupted else []


def _left_out(b: LatencyResult, pairs: Sequence[tuple[Configuration, Configuration]]) -> list[str]:
    used = [id(one) for pair in pairs for one in pair]
    return [f"nothing to compare with: {one.name}" for one in b.configurations if id(one) not in used]
