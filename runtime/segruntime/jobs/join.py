"""Segments of a video → the whole: their packets at their times, and everything else copied once from the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import Any

from segruntime.atomic_file import Draft
from segruntime.errors import VideoError
from segruntime.run.source import VideoFacts
from segruntime.run.video.av_library import require_av, writing
from segruntime.run.video.copied import ISO_BASE_MEDIA
from segruntime.run.video.encoder import HEVC_10
from segruntime.run.video.opening import open_video
from segruntime.run.video.segment_sink import TICK_ZERO
from segruntime.run.video.source import VideoSource
from segruntime.run.video.tracks import TrackCopy


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A segment that is done: its file, the time of its start in the source's units, and how many frames it is to have."""

    path: Path
    start: int
    frames: int


def join(source: str, parts: Sequence[Part], target: Path) -> list[str]:
    """Write `target`; what there is to say of it.

    Raises:
        VideoError: a segment or the whole has another number of frames than it should. OutputError: the disk is full, or
            the container refuses it.
    """
    times = [time for part in parts for time in _times(part)]
    video = VideoSource(source)
    draft = Draft(target)
    try:
        with writing(target):
            notes = _write(video, parts, decoding_times(times), draft.path)
        draft.keep()
    except BaseException:
        draft.drop()
        raise
    finally:
        video.close()
    return notes


def decoding_times(times: Sequence[int]) -> list[int]:
    """The decoding time of each packet, from the time at which each is shown, in the order of the file.

    As encoders give them: the times in their order, later by as many frames as the farthest-moved packet needs, so that none
    is decoded after it is shown. Times that are all different give times that rise.
    """
    ordered = sorted(times)
    rank = {time: k for k, time in enumerate(ordered)}
    delay = max((k - rank[time] for k, time in enumerate(times)), default=0)
    lead = ordered[delay] - ordered[0] if times else 0
    return [ordered[k] - lead if k < delay else ordered[k - delay] for k in range(len(times))]


def _times(part: Part) -> list[int]:
    """When each packet of a segment is shown, in units of the source, in the order of the file."""
    with open_video(str(part.path)) as container:
        shift = part.start - TICK_ZERO
        times = [packet.pts + shift for packet in container.demux(video=0) if packet.size]
    if len(times) != part.frames or len(set(times)) != part.frames:
        raise VideoError(f"{part.path}: holds {len(times)} frames, expected {part.frames}; --overwrite begins anew")
    return times


def _write(video: VideoSource, parts: Sequence[Part], decoding: Sequence[int], path: Path) -> list[str]:
    time_base = video.facts.time_base
    with require_av().open(str(path), "w") as container, open_video(str(parts[0].path)) as first:
        stream = container.add_stream_from_template(first.streams.video[0])
        stream.time_base = time_base
        if container.format.name in ISO_BASE_MEDIA:
            stream.codec_context.codec_tag = _tag(first.streams.video[0])
        tracks = TrackCopy(container, video.facts)
        container.start_encoding()
        frames = _with_time(_packets(parts, decoding, stream, video.facts))
        for _, packet in merge(frames, _with_time(video.other_packets()), key=lambda timed: timed[0]):
            if packet.stream is stream:
                container.mux(packet)
            else:
                tracks.write([packet])
        tracks.flush()
    return tracks.notes


def _tag(segment: Any) -> str:
    """The four letters that `VideoSink` has for a segment's codec in an MP4 or MOV: ProRes brings its own."""
    codec = segment.codec_context.codec.canonical_name
    own: str = segment.codec_context.codec_tag
    return own if codec == "prores" else str(HEVC_10.tag) if codec == "hevc" else "\0\0\0\0"


def _packets(parts: Sequence[Part], decoding: Sequence[int], stream: Any, facts: VideoFacts) -> Iterator[Any]:
    times = iter(decoding)
    step = max(1, round(1 / (facts.rate * facts.time_base)))  # of the last frame, whose end nothing else tells
    for part in parts:
        shift = part.start - TICK_ZERO
        with open_video(str(part.path)) as container:
            for packet in container.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    packet.pts, packet.dts, packet.time_base = packet.pts + shift, next(times), facts.time_base
                    packet.duration = step
                    yield packet


def _with_time(packets: Iterator[Any]) -> Iterator[tuple[float, Any]]:
    """Each with its decoding time in seconds, or with that of the one before it where it has none."""
    time_s = float("-inf")
    for packet in packets:
        if packet.dts is not None:
            time_s = max(time_s, float(packet.dts * packet.time_base))
        yield time_s, packet
