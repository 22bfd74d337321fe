"""How exact against how fast: configurations joined with their accuracy, and which of them are worth having."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from segbench.frames.source import FrameFacts
from segbench.plots.sources import Source
from segbench.results.accuracy import AccuracyResult
from segbench.results.latency import Configuration, LatencyResult
from segbench.results.subject import AccuracyKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A configuration of the results file `source`: p50 and p90 of its whole in ms, its mean IoU with hand-made masks (0–1)."""

    name: str
    source: str
    p50_ms: float
    p90_ms: float
    iou: float
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Points that may be compared: frames of one size from one source at one pace, masks of the same pictures."""

    frame: str
    pictures: int
    points: list[Point] = field(default_factory=list)


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """Those to which no other is preferable, the fastest first.

    One is preferable to another if it is at least as fast (p50 of the whole) and at least as exact (mean IoU), and better in
    one of the two. Two that are equal in both are both on the front, or both are not.
    """
    kept = [one for one in points if not any(_preferable(other, one) for other in points)]
    return sorted(kept, key=lambda one: (one.p50_ms, one.iou))


def fields_of(latency: Sequence[Source[LatencyResult]], accuracy: Sequence[Source[AccuracyResult]]) -> list[Field]:
    """Every configuration with every set of pictures that its masks were measured on.

    A configuration finds its accuracy by the SHA-256 of its model, its backend and its preset: threads and the frame's size do
    not change how exact a mask is. Of several accuracies of one key on the same pictures the last one counts.
    """
    known = {(one.result.key, one.result.pictures_sha256): one.result for one in accuracy}
    found: dict[tuple[FrameFacts, float | None, str], Field] = {}
    for source in latency:
        for one in source.result.configurations:
            for (key, digest), exact in known.items():
                if key != one.subject.accuracy_key:
                    continue
                rate, frame = source.result.settings.rate, one.subject.frame
                there = found.setdefault(
                    (frame, rate, digest), Field(frame=_frame(frame, rate), pictures=len(exact.each))
                )
                there.points.append(_point(source.name, one, exact))
    return list(found.values())


def without_partner(latency: Sequence[Source[LatencyResult]], accuracy: Sequence[Source[AccuracyResult]]) -> list[str]:
    """What no plot of accuracy against latency can show, a line each; nothing where there is no accuracy or no latency."""
    if not latency or not accuracy:
        return []
    timed: dict[AccuracyKey, list[str]] = {}
    for source in latency:
        for one in source.result.configurations:
            timed.setdefault(one.subject.accuracy_key, []).append(one.name)
    exact = {one.result.key: one for one in accuracy}
    lines = [f"no accuracy for {_who(names)}" for key, names in timed.items() if key not in exact]
    return lines + [f"no latency for what {one.name} measured" for key, one in exact.items() if key not in timed]


def _who(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more of that model, backend and preset"


def _preferable(a: Point, b: Point) -> bool:
    return a.p50_ms <= b.p50_ms and a.iou >= b.iou and (a.p50_ms < b.p50_ms or a.iou > b.iou)


def _point(source: str, configuration: Configuration, exact: AccuracyResult) -> Point:
    whole = configuration.stages["whole"]
    return Point(
        name=configuration.name,
        source=source,
        p50_ms=whole.p50_ms,
        p90_ms=whole.p90_ms,
        iou=exact.summary["iou"].mean,
        size_bytes=configuration.subject.model.size_bytes,
    )


def _frame(frame: FrameFacts, rate: float | None) -> str:
    pace = "" if rate is None else f", {rate:g} frames/s as from a camera"
    return f"{frame.size} ({frame.source}){pace}"
