"""The configurations of one run next to its first: ratios, as `segbench compare` makes them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from segbench.compare.run import Comparison, compare_results
from segbench.errors import ComparisonError
from segbench.frames.source import FrameFacts
from segbench.results.latency import Configuration, LatencyResult

_AXES = ("model", "threads", "backend", "preset")  # not the size: a smaller frame is less work, not a faster program


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Frames of one size: the first configuration, and each other one's comparison with it, of `segbench.compare.run`."""

    frame: str
    first: str
    confidence: float
    comparisons: list[Comparison]


def compared_with_first(result: LatencyResult) -> tuple[list[Compared], list[str]]:
    """Of a latency result; and what could not be compared, in words.

    The first is the one that the command named first. The fastest would be another one in every run, and taking it for the
    measure would make it look faster than it is.
    """
    groups: dict[FrameFacts, list[Configuration]] = {}
    for one in result.configurations:
        whole_only = replace(one, stages={"whole": one.stages["whole"]})
        groups.setdefault(one.subject.frame, []).append(whole_only)
    found, refused = [], []
    for frame, (first, *others) in groups.items():
        if not others:
            continue
        # both sides keep the digest of the run, so that its rounds are paired
        sides = replace(result, configurations=(first,)), replace(result, configurations=tuple(others))
        try:
            made = compare_results(*sides, axes=_AXES)
        except ComparisonError as error:
            refused.append(str(error))
            continue
        found.append(
            Compared(frame=frame.size, first=first.name, confidence=made.confidence, comparisons=made.comparisons)
        )
    return found, refused
