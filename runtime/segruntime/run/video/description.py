"""What a video says about itself and its tracks, in the output: title, date, place, camera, languages, chapters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from io import BytesIO
from typing import Any

from segruntime.run.video.av_library import require_av
from segruntime.run.video.copied import ISO_BASE_MEDIA, ending_of, first_few, shown

_OF_THE_FILE = {
    "bps", "compatible_brands", "duration", "encoder", "major_brand", "minor_version", "number_of_bytes",
    "number_of_frames", "rotate", "software", "source_id", "vendor_id",
}  # fmt: skip
"""Keys that are of the file or track as it was, not of what it shows."""
_ANY_KEYS = {"movflags": "use_metadata_tags"}
_LANGUAGE_SUFFIX = re.compile("-[a-z]{3}$")
_TIMECODE = re.compile("[0-9]{2}(:[0-9]{2}){2}[:;.][0-9]{2}")
_CREATED = "creation_time"
"""An MP4 may say it in two places, and FFmpeg 9 gives both of them, with a semicolon between."""
_MS = Fraction(1, 1000)
_FLAGS = {"ipod": {"default"}, "mov": {"default"}, "webm": {"default", "forced"}}
"""Which of a track's flags a container has a place for; the others have one for all that are common."""
_MOST_COUNTED = 120
_DROP_FRAME_RATES = {Fraction(30000, 1001), Fraction(60000, 1001)}
_QUICKTIME_CODES = {
    "deu": "ger", "nld": "dut", "swe": "sve", "ell": "gre", "isl": "ice", "zho": "chi", "fre": "fra", "sqi": "alb",
    "rum": "ron", "cze": "ces", "slo": "slk", "fas": "per", "mkd": "mac", "hye": "arm", "kat": "geo", "cym": "wel",
    "eus": "baq", "mya": "bur", "bod": "tib", "msa": "may",
}  # fmt: skip
"""ISO 639-2 has two codes for these languages, and ffmpeg's MOV knows the other one."""


def describe(container: Any, metadata: Mapping[str, str], rate: Fraction) -> list[str]:
    """Give a container, before its header is written, what the input says of itself; lines for the user.

    `rate`: frames a second of the picture, which say whether there can be a timecode.
    """
    form = container.format.name
    kept = _true_elsewhere(metadata)
    notes = _without_wrong_timecode(kept, form, rate)
    container.metadata.update(kept)
    container.container_options.update(_options(form, kept))
    lost = _lost(form, kept)
    if not lost:
        return notes
    has, it = ("has", "it") if len(lost) == 1 else ("have", "them")
    return [*notes, f"metadata: {first_few(lost)} {has} no place in {ending_of(form)}; choose .mkv to keep {it}"]


def describe_track(container: Any, output: Any, source: Any, rate: Fraction) -> list[str]:
    """The same for a track: language, title, and whether it is the default, forced, or for the deaf; lines for the user."""
    form = container.format.name
    kept = {key.lower(): value for key, value in _true_elsewhere(source.metadata).items()}
    kept.setdefault("title", kept.pop("name", ""))  # as MP4 calls it
    kept = {key: value for key, value in kept.items() if value and (key, value) != ("language", "und")}
    notes = _without_wrong_timecode(kept, form, rate)
    if "language" in kept:
        code = _language(form, kept["language"])
        if code is None:
            notes.append(
                f"language: {shown(kept.pop('language'))} has no place in {ending_of(form)}; choose .mkv to keep it"
            )
        else:
            kept["language"] = code
    if "title" in kept and form == "ipod":
        notes.append(f"title: {shown(kept['title'])} of a track has no place in .m4v; choose .mp4 or .mkv to keep it")
    output.metadata.update(kept)
    output.disposition = source.disposition.value
    return notes + _lost_flags(form, source.disposition)


def divide(container: Any, chapters: Iterable[dict[str, Any]], start_s: Fraction, end_s: Fraction | None) -> None:
    """Give a container, before it is closed, the chapters of an input that began at `start_s`, up to where it ended."""
    kept = []
    for one in chapters:
        unit = Fraction(one["time_base"])
        last = one["end"] if end_s is None else min(one["end"], round(end_s / unit))
        if one["start"] < last:
            start, end = (max(0, side - round(start_s / unit)) for side in (one["start"], last))
            kept.append(one | {"start": start, "end": end, "metadata": _true_elsewhere(one["metadata"])})
    if kept:
        container.set_chapters(kept)


def _true_elsewhere(metadata: Mapping[str, str]) -> dict[str, str]:
    """Without what is no longer true in another file."""
    kept = {_key(_text(key)): _text(value) for key, value in metadata.items() if not _is_of_the_file(key.lower())}
    if _CREATED in kept:
        kept[_CREATED] = kept[_CREATED].partition(";")[0]
    return kept


def _is_of_the_file(key: str) -> bool:
    name = _LANGUAGE_SUFFIX.sub("", key)  # mkvmerge wrote `BPS-eng`
    return name in _OF_THE_FILE or name.startswith("_statistics")


def _key(name: str) -> str:
    """As it was before Matroska wrote it in capitals; those that QuickTime reads have some of their own."""
    return name.lower().replace(".iso6709", ".ISO6709") if name.isupper() else name


def _text(read: str) -> str:
    """What is no UTF-8 was written by Windows programs in its western code page."""
    data = read.encode("utf-8", "surrogateescape")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _options(form: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """Phones write keys such as `com.apple.quicktime.make`, which only this form of an MP4's metadata has a place for."""
    named = any(key.startswith("com.") for key in metadata)
    return _ANY_KEYS if named and form in ISO_BASE_MEDIA else {}


def _lost(form: str, metadata: Mapping[str, str]) -> list[str]:
    if form not in ISO_BASE_MEDIA or not metadata:  # Matroska has a place for any
        return []
    read, _ = _read_back(form, metadata, {})
    return [key for key in metadata if key.lower() not in read and key != "timecode"]  # which is a track there


def _lost_flags(form: str, flags: Any) -> list[str]:
    lost = [one.name for one in type(flags) if flags & one and one.name not in _FLAGS.get(form, {one.name})]
    if not lost:
        return []
    return [
        f"flag: {name} of a track has no place in {ending_of(form)}; choose .mp4 or .mkv to keep it" for name in lost
    ]


def _language(form: str, code: str) -> str | None:
    """The code by which the container knows it, None where it does not."""
    if form not in ISO_BASE_MEDIA:
        return code
    candidates = [code, *([_QUICKTIME_CODES[code]] if code in _QUICKTIME_CODES else [])]
    return next((one for one in candidates if _read_back(form, {}, {"language": one})[1].get("language") == one), None)


def _without_wrong_timecode(kept: dict[str, str], form: str, rate: Fraction) -> list[str]:
    """Take one out that the muxer would not write: SMPTE 12M counts some frame rates, and drops frames at two of them."""
    if "timecode" not in kept or form not in ISO_BASE_MEDIA:
        return []
    counts = form != "ipod" and rate.denominator in (1, 1001) and rate <= _MOST_COUNTED
    if counts and _TIMECODE.fullmatch(kept["timecode"]) and (kept["timecode"][-3] == ":" or rate in _DROP_FRAME_RATES):
        return []
    where = ending_of(form) + ("" if form == "ipod" else " at this frame rate")
    return [f"timecode: {shown(kept.pop('timecode'))} has no place in {where}"]


def _read_back(
    form: str, metadata: Mapping[str, str], of_track: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """What an MP4 of one subtitle keeps of them: the container's, by keys in lower case, and the track's."""
    av = require_av()
    memory = BytesIO()
    with av.open(memory, "w", format=form, container_options=_options(form, metadata)) as container:
        container.metadata.update(metadata)
        track = container.add_mux_stream("mov_text", time_base=_MS)
        track.metadata.update(of_track)
        packet = av.Packet(b"\0\1.")  # its length and its text
        packet.stream, packet.time_base, packet.duration = track, _MS, 1
        packet.pts = packet.dts = 0
        container.mux(packet)
    memory.seek(0)
    with av.open(memory) as container:
        read = {key.lower(): value for key, value in container.metadata.items()}
        return read, dict(container.streams[0].metadata)
