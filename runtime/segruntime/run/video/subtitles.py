"""Subtitles that become a track of the output: as they are, or as text in the form that the container has."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from segruntime.run.video.copied import Copied, Track, able, codec_of, ending_of, left_out, takes

_ENCODERS = {"mp4": "mov_text", "ipod": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}
_BITMAPS = {"dvb_subtitle", "dvb_teletext", "dvd_subtitle", "hdmv_pgs_subtitle", "xsub", "eia_608", "arib_caption"}
_STYLED = {"ass", "ssa"}
_GAPS = {"mov_text": b"\0\0"}  # a text of no length, until the next one begins
_MS = Fraction(1, 1000)


def subtitle_track(container: Any, stream: Any) -> tuple[Track | None, str]:
    """What becomes of a stream of subtitles, and what there is to say of it, if anything."""
    codec, form = codec_of(stream), container.format.name
    if takes(form, stream):
        return Copied(container.add_stream_from_template(stream), _GAPS.get(codec or "")), ""
    if codec is None or codec in _BITMAPS or form not in _ENCODERS:
        return None, left_out("subtitles", stream, form)
    track = ConvertedText(container, stream, _ENCODERS[form])
    note = f"subtitles: {codec} has no place in {ending_of(form)}, converted to {_ENCODERS[form]}"
    note += " without most of its styles" if codec in _STYLED else ""
    endings = able(stream)
    return track, note + (f"; choose {endings} to copy them as they are" if endings else "")


class ConvertedText:
    """Text, decoded and encoded. What has none, such as the gaps of an MP4, gives no packet."""

    def __init__(self, container: Any, stream: Any, encoder: str) -> None:
        from av.subtitles.subtitle import SubtitleSet

        self._set = SubtitleSet.create
        self.output = container.add_stream(encoder)
        self.output.time_base = _MS
        stream.codec_context.open(strict=False)
        self.output.codec_context.subtitle_header = stream.codec_context.subtitle_header

    def __call__(self, packet: Any) -> list[Any]:
        lines = [line.ass for line in packet.decode()]
        if not lines:
            return []
        text = b"\\N".join([lines[0], *(line.split(b",", 8)[-1] for line in lines[1:])])
        made = self.output.codec_context.encode_subtitle(self._set(text, 0, 0))
        made.stream, made.time_base = self.output, packet.time_base
        made.pts = made.dts = packet.pts
        made.duration = packet.duration
        return [made]

    def rest(self) -> list[Any]:
        return []
