"""The times of a video's frames, from its packets alone: nothing is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from segruntime.run.video.continuity import FORMATS, Continuity
from segruntime.run.video.opening import open_video, video_stream

_HIDDEN_FRAMES = ("vp8",)  # whose packets need not be pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketTimes:
    """Times in units of `time_base`, in the order in which they are shown.

    `keyframes`: those where decoding may begin, also of frames that an edit list hides. `leading`: how many frames are shown
    before the first of these, though they come after it in the file. `trouble`: why a frame's time cannot be told from the
    packets; None where it can.
    """

    times: list[int]
    keyframes: list[int]
    time_base: Fraction
    leading: int
    trouble: str | None


def packet_times(path: str) -> PacketTimes:
    """Reads the whole file once.

    Raises:
        VideoError: see `opening`. MissingExtraError: PyAV is not installed.
    """
    container = open_video(path)
    try:
        stream = video_stream(container, path)
        joined = Continuity() if container.format.name in FORMATS else None
        times: list[int] = []
        keyframes: list[int] = []
        nameless = 0
        for packet in container.demux(stream):
            if not packet.size:
                continue
            if joined is not None:
                joined(packet)
            if packet.pts is None:
                nameless += 1
                continue
            keyframes += [packet.pts] if packet.is_keyframe else []
            if keyframes and not packet.is_discard:  # what comes before the first one cannot be decoded
                times.append(packet.pts)
        times.sort()
        return PacketTimes(
            times=times,
            keyframes=sorted(keyframes),
            time_base=stream.time_base,
            leading=sum(time < keyframes[0] for time in times) if keyframes else 0,
            trouble=_trouble(stream.codec_context.name, times, nameless, joined),
        )
    finally:
        container.close()


def _trouble(codec: str, times: list[int], nameless: int, joined: Continuity | None) -> str | None:
    if codec in _HIDDEN_FRAMES:
        return f"packets of {codec} need not be frames"
    if joined is not None and joined.parts > 1:
        return "its times start again in the middle"
    if nameless:
        return f"{nameless} of its packets have no time"
    if len(set(times)) < len(times):
        return "two of its frames have the same time"
    return None if times else "it has no keyframe"
