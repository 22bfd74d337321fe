"""All of a video but its frames, in the output: sound, subtitles, cover, attached files, chapters, title and languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from segruntime.run.source import VideoFacts
from segruntime.run.video.av_library import require_av
from segruntime.run.video.copied import (
    ISO_BASE_MEDIA,
    Copied,
    Track,
    codec_of,
    ending_of,
    first_few,
    is_iso_base_media,
    left_out,
    takes,
)
from segruntime.run.video.description import describe, describe_track, divide
from segruntime.run.video.sound import EncodedAgain, sound_track
from segruntime.run.video.subtitles import subtitle_track

_KINDS = {"audio": "sound", "subtitle": "subtitles", "attachment": "attached files", "data": "data"}
_PRIMING_S = {"opus": 0.08}  # of sound before the first that is heard, which a decoder wants; else a packet
_ROUNDING_S = 0.01
_LATE_S = 0.1
_WITH_COVERS = {"mp4"}


class TrackCopy:
    """The other tracks of a video, from their packets: nothing of the frames is needed.

        tracks = TrackCopy(container, facts)      # after the video stream was added, before the header is written
        tracks.write(packets)                     # in the order of the input, any number of times
        tracks.flush()                            # before the container is closed

    `notes`: lines for the user; `flush` adds to them how many packets were broken. `lost`: how many those are.
    """

    def __init__(self, container: Any, facts: VideoFacts) -> None:
        self.notes: list[str] = []
        self._lost: Counter[str] = Counter()
        self._container, self._facts = container, facts
        of = require_av().error  # that nothing can be made of it, in ffmpeg's words, or that its time goes back
        self._damage = of.InvalidDataError, of.ArgumentError, of.PatchWelcomeError
        self._tracks: dict[int, Track] = {}
        self._covers: list[Any] = []
        self._files: list[str] = []  # that have no place
        self._start_s, self._end_s, self._first_s = begins_late(facts), Fraction(0), Fraction(0)
        if self._start_s:
            container.container_options["output_ts_offset"] = (
                f"{-float(self._start_s):.6f}"  # of all tracks, in seconds
            )
        self._say(describe(container, facts.metadata, facts.rate))
        if facts.stream is not None:
            self._say(describe_track(container, container.streams.video[0], facts.stream, facts.rate))
        for stream in facts.tracks:
            self._add(stream)
        if self._files:
            where = f"no place in {ending_of(container.format.name)} and were left out; choose .mkv to keep them"
            self._say([f"attached files: {first_few(self._files)} have {where}"])

    @property
    def lost(self) -> int:
        return self._lost.total()

    def write(self, packets: Iterable[Any]) -> None:
        """Those of `facts.tracks`; empty ones, as a demuxer gives them at the end, are passed over."""
        self._container.mux(self._covers)
        self._covers = []
        for packet in packets:
            stream = packet.stream
            track = self._tracks.get(stream.index)
            if track is None or (packet.dts is None and not packet.size):
                continue
            try:
                if self._is_hidden(track, packet):
                    pass
                elif packet.pts is None or packet.dts is None or packet.pts < packet.dts:
                    self._lost[stream.type] += 1  # muxers find that later, in the middle of others
                else:
                    self._measure(track, packet)
                    self._container.mux(track(packet))
            except self._damage:
                self._lost[stream.type] += 1

    def flush(self, end_s: Fraction | None = None) -> None:
        """The rest of what is encoded, and the chapters.

        `end_s`: when the last frame ends, where it may be before the input does; an MP4 with later chapters is as long as
        those.
        """
        start_s = self._start_s
        if self._container.format.name not in ISO_BASE_MEDIA:
            start_s += self._first_s  # as far as their muxers move all packets, for none is before 0
        divide(self._container, self._facts.chapters, start_s, None if end_s is None else max(end_s, self._end_s))
        for track in self._tracks.values():
            self._container.mux(track.rest())
        self._say(f"{_KINDS[kind]}: {count} packets are broken and were left out" for kind, count in self._lost.items())

    def _measure(self, track: Track, packet: Any) -> None:
        unit = Fraction(packet.time_base)
        self._end_s = max(self._end_s, (packet.pts + (packet.duration or 0)) * unit)
        if isinstance(track, Copied) and not says_padding(packet.stream):
            self._first_s = min(self._first_s, packet.pts * unit - self._start_s)

    def _is_hidden(self, track: Track, packet: Any) -> bool:
        """Whether an MP4's edit list cuts it off, and neither the output has such lists nor a decoder cuts it off here."""
        has_lists = self._container.format.name in ISO_BASE_MEDIA
        if has_lists or isinstance(track, EncodedAgain) or not packet.is_discard or packet.pts is None:
            return False
        wanted_s = _PRIMING_S.get(codec_of(packet.stream) or "", 0.0)
        return bool((packet.pts + (packet.duration or 0)) * packet.time_base < -wanted_s - _ROUNDING_S)

    def _add(self, stream: Any) -> None:
        form = self._container.format.name
        track: Track | None = None
        if stream.type == "audio":
            track, note = sound_track(self._container, stream)
        elif stream.type == "subtitle":
            track, note = subtitle_track(self._container, stream)
        elif stream.type == "video":
            note = self._cover(stream)
        elif is_written_by_muxers(stream, len(self._facts.chapters)):
            note = ""
        elif takes(form, stream):
            track, note = Copied(self._container.add_stream_from_template(stream)), ""
        else:
            note = "" if stream.type == "attachment" else left_out(_KINDS.get(stream.type, "track"), stream, form)
            self._files += [stream.name or "one without a name"] if stream.type == "attachment" else []
        self._say([note])
        if track is not None:
            self._tracks[stream.index] = track
            self._say(describe_track(self._container, track.output, stream, self._facts.rate))

    def _cover(self, stream: Any) -> str:
        """A picture of the whole, which goes into the file's head: what there is to say of it."""
        packet = next((one for one in self._facts.covers if one.stream.index == stream.index), None)
        form = self._container.format.name
        if packet is None:
            return "video: more than one track, of which the first is in the result and the others were left out"
        if stream.disposition & stream.disposition.timed_thumbnails:
            return "pictures of the chapters were left out"
        if form == "matroska":
            kind = {"mjpeg": "jpeg"}.get(codec_of(stream) or "", codec_of(stream))
            name = stream.metadata.get(
                "filename", "cover.jpg" if kind == "jpeg" else f"cover.{kind}"
            )  # as its specification
            self._container.add_attachment(name, stream.metadata.get("mimetype", f"image/{kind}"), bytes(packet))
            return ""
        if form not in _WITH_COVERS or not takes(form, stream):
            able = ".mp4 or .mkv" if takes("mp4", stream) else ".mkv"
            return f"cover picture: has no place in {ending_of(form)} and was left out; choose {able} to keep it"
        output = self._container.add_stream_from_template(stream, opaque=True)
        output.disposition = stream.disposition.value
        again = require_av().Packet(packet.size)
        again.update(bytes(packet))  # a muxer keeps it to the end; `Packet(bytes)` would leave it memory of Python's
        again.stream, again.time_base, again.is_keyframe = output, stream.time_base, True
        again.pts = again.dts = 0
        self._covers.append(again)
        return ""

    def _say(self, notes: Iterable[str]) -> None:
        self.notes += [note for note in dict.fromkeys(notes) if note and note not in self.notes]


def begins_late(facts: VideoFacts) -> Fraction:
    """When the first of all tracks begins, in seconds, where that means nothing; else 0.

    The clock of a broadcast or a stream runs from anywhere, up to 26 hours; an MP4 shows nothing for so long.
    """
    source = None if facts.stream is None else facts.stream.container
    if source is None or source.start_time is None or is_iso_base_media(source):
        return Fraction(0)
    start = Fraction(source.start_time, require_av().time_base)
    return start if start > _LATE_S else Fraction(0)


def says_padding(stream: Any) -> bool:
    """Whether a muxer is told how much of its start is for the decoder alone, and so has it begin before 0."""
    return codec_of(stream) == "opus" or not is_iso_base_media(stream.container)


def is_written_by_muxers(stream: Any, chapters: int) -> bool:
    """Whether it is an MP4's track of the timecode or of chapters' titles, which are kept as what they mean."""
    is_titles = bool(chapters) and codec_of(stream) == "bin_data" and stream.frames == chapters
    return stream.type == "data" and ("timecode" in stream.metadata or is_titles)
