"""Where a long video is cut: at keyframes at least so many seconds apart, by its packets alone."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from segruntime.run.video.packet_times import PacketTimes
from segruntime.run.video.span import Span

WARM_UP = 64
"""Frames before a segment that fill the refiner's memory: after 48, no preset gives another mask at the cut."""


def spans_of(found: PacketTimes, least_s: float, every: int = 1) -> list[Span]:
    """The spans of a video whose packets were found so; one where it is not worth cutting.

    `every`: the network runs on each so many-th frame, counted from the start of the whole.
    """
    starts = _starts(found, least_s)
    times = found.times
    cuts: list[Span] = []
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        at = bisect_left(times, start)
        until = len(times) if end is None else bisect_left(times, end)
        first = max(0, at - WARM_UP) // every * every
        before = bisect_right(found.keyframes, times[first])
        cuts.append(
            Span(
                start=start,
                end=end,
                warm_up=times[first],
                first=first,
                keyframe=found.keyframes[max(0, before - 1)],
                origin=times[0],
                frames=until - at,
                leading=0 if cuts else found.leading,
            )
        )
    return cuts


def _starts(found: PacketTimes, least_s: float) -> list[int]:
    """The times at which segments begin; the rest of a video, where it is short, goes with the last one."""
    least = least_s / found.time_base
    starts, shown = [found.times[0]], set(found.times)
    for keyframe in found.keyframes:
        if keyframe in shown and keyframe - starts[-1] >= least and found.times[-1] - keyframe >= least / 2:
            starts.append(keyframe)
    return starts
