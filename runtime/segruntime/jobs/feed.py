"""Units in the order in which they are to be begun: of a long video its segments, as soon as it is known where to cut it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from segruntime.errors import SegRuntimeError
from segruntime.jobs.cuts import spans_of
from segruntime.jobs.journal import Journal
from segruntime.jobs.segmented import Segmented, parts_of
from segruntime.jobs.unit import Unit
from segruntime.run.video.packet_times import packet_times
from segruntime.run.video.span import Span


class Feed:
    """`videos`: those that are cut, by their ids, as far as the iteration came. `notes`: of a file, what is to be said."""

    def __init__(
        self, left: Sequence[Unit], journal: Journal, drafts: str, segment_s: float | None, every: int
    ) -> None:
        self.videos: dict[str, Segmented] = {}
        self.notes: list[str] = []
        self._left, self._journal, self._drafts = left, journal, drafts
        self._segment_s, self._every = segment_s, every

    def __iter__(self) -> Iterator[Unit]:
        for unit in self._left:
            parts = [] if unit.is_quick else self._parts(unit)
            if len(parts) < 2:
                yield unit
                continue
            video = self.videos[unit.id] = Segmented(unit, parts, self._done(parts))
            for part in parts:
                if part.id not in video.frames and not video.is_given_up:
                    yield part

    def _done(self, parts: Sequence[Unit]) -> dict[str, int]:
        """The frames of each segment that is there from before."""
        frames = self._journal.record.frames
        return {part.id: frames[part.id] for part in parts if part.id in frames and part.draft(self._drafts).exists()}

    def _parts(self, video: Unit) -> list[Unit]:
        if self._segment_s is None:
            return []
        told = self._journal.record.spans.get(video.id)
        if told is None:
            told = self._cut(video, self._segment_s)
            self._journal.add([{"cut": video.id, "spans": told}])
        return parts_of(video, [Span(**one) for one in told])

    def _cut(self, video: Unit, segment_s: float) -> list[dict[str, Any]]:
        try:
            found = packet_times(video.source)
        except SegRuntimeError:
            return []  # what is wrong with it shows when it is done as a whole
        if found.trouble is not None:
            self.notes.append(f"{video.source}: is done in one piece, for {found.trouble}")
            return []
        return [span.to_json() for span in spans_of(found, segment_s, self._every)]
