"""A part of a video, which gives the frames that the whole would give there."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The frames whose times lie in `start` to before `end`, in units of the stream's time base; `end=None`: up to the last.

    The frames from `warm_up` on are decoded before them, to fill the memory of what looks back: the first of those is
    the video's frame number `first`, counted from 0. `keyframe`: where decoding may begin for that. `origin`: the time of the
    video's own first frame, before which nothing is warm-up. `frames`: how many the span has by the packets of the file,
    `leading` of them before the first keyframe, which no decoder need give.
    """

    start: int
    end: int | None
    warm_up: int
    first: int
    keyframe: int
    origin: int
    frames: int
    leading: int = 0

    def holds(self, time: int) -> bool:
        """Whether a frame of that time is to be written."""
        return time >= self.start and not self.is_past(time)

    def is_past(self, time: int) -> bool:
        return self.end is not None and time >= self.end

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def complaint(self, found: int) -> str | None:
        """What is wrong with that many frames, written or counted as broken; None: nothing."""
        if self.frames - self.leading <= found <= self.frames:
            return None
        return f"{found} frames came out of it, {self.frames} are in the file"
