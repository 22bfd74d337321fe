"""A long video within a job: its segments, which of them are done, and the whole when they all are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from segruntime.jobs.join import Part, join
from segruntime.jobs.step import Step
from segruntime.jobs.unit import Outcome, Unit, digest
from segruntime.run.video.span import Span


@dataclass(slots=True)
class Segmented:
    """`frames`: of each segment that is done, by its id."""

    video: Unit
    parts: Sequence[Unit]
    frames: dict[str, int]
    is_given_up: bool = False

    @property
    def is_whole(self) -> bool:
        return len(self.frames) == len(self.parts)

    def joined(self, drafts: str) -> Outcome:
        """The video, made of its segments."""
        begin = time.perf_counter()
        parts = [Part(path=p.draft(drafts), start=p.span.start, frames=self.frames[p.id]) for p in self.parts if p.span]
        step = Step(self.video).go(lambda _: join(self.video.source, parts, self.video.draft(drafts)))
        step.notes += step.value or []
        outcome = step.outcome(sum(self.frames.values()), time.perf_counter() - begin)
        return replace(outcome, is_joined=True)


def parts_of(video: Unit, spans: Sequence[Span]) -> list[Unit]:
    """A unit for each span."""
    frames = sum(span.frames for span in spans)
    return [
        replace(
            video,
            id=digest(video.id, span.start, span.end),
            of=video.id,
            part=number,
            span=span,
            share_bytes=round(video.size_bytes * span.frames / frames),
        )
        for number, span in enumerate(spans, 1)
    ]
