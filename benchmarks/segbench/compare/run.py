"""Two results → what is faster or slower, and how well that is known."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any, Literal

from segbench.compare.match import Configuration, configuration_differences, differences, matched
from segbench.statistics.bootstrap import CONFIDENCE, FEWEST_PROCESSES, MedianRatio, median_ratio

FORMAT = "segedge.segbench.comparison"
VERSION = 1
Verdict = Literal["faster", "slower", "no difference seen", "too few processes to tell", "the machine changed"]
_TURNS = "measured one after the other: what the machine did meanwhile counts as a difference"


def compare_results(
    a: dict[str, Any], b: dict[str, Any], *, axes: Collection[str] = (), names: tuple[str, str] = ("A", "B")
) -> dict[str, Any]:
    """`a` and `b`: results as `read_results` gives them, which may be the same one; `axes`: what may differ, of `AXES`.

    The verdicts say how B is next to A. `verdict` of a comparison is that of the whole, frame to composite.

    Raises:
        ComparisonError: see `matched`.
    """
    pairs = matched(a, b, axes)
    same_run = a["digest"] == b["digest"]
    same_work = "machine" not in axes
    return {
        "format": FORMAT,
        "version": VERSION,
        "a": _origin(a, names[0]),
        "b": _origin(b, names[1]),
        "axes": sorted(axes),
        "confidence": CONFIDENCE,
        "differences": differences(a, b),
        "warnings": [
            *_interrupted(a, names[0]),
            *([] if same_run else _interrupted(b, names[1])),
            *_left_out(b, pairs),
        ],
        "comparisons": [_compared(one, other, same_run, same_work) for one, other in pairs],
    }


def slower_than(result: dict[str, Any], share: float) -> list[dict[str, Any]]:
    """The comparisons whose whole is slower by more than `share`, even at the lower end of its interval."""
    return [
        one for one in result["comparisons"] if one["verdict"] == "slower" and one["stages"]["whole"]["low"] > 1 + share
    ]


def in_turn(a: Sequence[dict[str, Any]], b: Sequence[dict[str, Any]]) -> bool:
    """Do the processes say when they started, and ran A's first and B's first in any order, then both second, and so on?"""
    if len(a) != len(b) or not all(isinstance(one.get("started_at"), (int, float)) for one in (*a, *b)):
        return False
    rounds = [sorted((one["started_at"], other["started_at"])) for one, other in zip(a, b, strict=True)]
    return all(before[1] < after[0] for before, after in pairwise(rounds))


def _compared(a: Configuration, b: Configuration, same_run: bool, same_work: bool) -> dict[str, Any]:
    processes = a["processes"], b["processes"]
    # an interrupted run may have ended within its last round
    if same_run:
        processes = processes[0][: len(processes[1])], processes[1][: len(processes[0])]
    paired = same_run or in_turn(*processes)
    stages = _common_stages(a["stages"], b["stages"])
    ratios = {stage: median_ratio(*(_values(side, stage) for side in processes), paired=paired) for stage in stages}
    verdict, machine = verdict_of(ratios["whole"]), None
    if not paired and same_work:
        machine = median_ratio(*(_imports(side) for side in processes), paired=False)
        verdict = _beside_imports(verdict, processes)
    return {
        "a": a["name"],
        "b": b["name"],
        "differences": configuration_differences(a, b),
        "processes": [len(side) for side in processes],
        "paired": paired,
        "verdict": verdict,
        "imports": None if machine is None else _ratio_json(machine),
        "stages": {stage: {**_ratio_json(ratio), "verdict": verdict_of(ratio)} for stage, ratio in ratios.items()},
        "warnings": [] if paired else [_TURNS],
    }


def verdict_of(ratio: MedianRatio) -> Verdict:
    """By the interval alone: B is slower where all of it lies above 1, faster where all of it lies below."""
    if ratio.low is None or ratio.high is None:
        return "too few processes to tell"
    if ratio.low > 1:
        return "slower"
    return "faster" if ratio.high < 1 else "no difference seen"


def _beside_imports(verdict: Verdict, processes: Sequence[Sequence[dict[str, Any]]]) -> Verdict:
    """Importing is the same work on both sides: a difference that it shows too is the machine's, not the model's."""
    if verdict not in ("faster", "slower"):
        return verdict
    relative = [
        [[value / one["import_ms"] for value in one["values_ms"]["whole"]] for one in side if one["import_ms"] > 0]
        for side in processes
    ]
    if min(map(len, relative)) < FEWEST_PROCESSES:
        return verdict
    return verdict if verdict_of(median_ratio(*relative, paired=False)) == verdict else "the machine changed"


def _common_stages(a: Collection[str], b: Collection[str]) -> list[str]:
    """Without `postprocess` where only one side refines: it ends at the network's scale there, at the frame's here."""
    other_work = {"postprocess"} if ("refine" in a) != ("refine" in b) else set()
    return [stage for stage in a if stage in b and stage not in other_work]


def _values(processes: Sequence[dict[str, Any]], stage: str) -> list[list[float]]:
    return [one["values_ms"][stage] for one in processes]


def _imports(processes: Sequence[dict[str, Any]]) -> list[list[float]]:
    return [[one["import_ms"]] for one in processes]


def _ratio_json(ratio: MedianRatio) -> dict[str, float | None]:
    return {name: getattr(ratio, name) for name in ("a_ms", "b_ms", "ratio", "low", "high")}


def _origin(result: dict[str, Any], name: str) -> dict[str, Any]:
    return {
        "name": name,
        "digest": result["digest"],
        "measured_at": result["measured_at"],
        "cpu": result["machine"]["cpu"],
    }


def _interrupted(result: dict[str, Any], name: str) -> list[str]:
    return [f"{name} was interrupted: it holds what was measured until then"] if result["interrupted"] else []


def _left_out(b: dict[str, Any], pairs: Sequence[tuple[Configuration, Configuration]]) -> list[str]:
    used = [id(one) for pair in pairs for one in pair]
    return [f"nothing to compare with: {one['name']}" for one in b["configurations"] if id(one) not in used]
