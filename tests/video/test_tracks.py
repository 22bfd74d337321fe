"""All tracks of the input are in the output, with languages, titles and flags; what a container has no place for is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.video.clips import av, make, packets, times
from tests.video.many_tracks import (
    CHAPTERS,
    LINES,
    MS,
    Extras,
    Words,
    chapters,
    covers,
    metadata,
    picture,
    remade,
    spoken,
)

from segruntime.run.statistics import Statistics

pytestmark = pytest.mark.usefixtures("everywhere")
Run = Callable[..., Statistics]
FLAGS = av.stream.Disposition
READS_NAMES = av.library_versions["libavformat"] >= (62, 12)  # FFmpeg 8.1: the titles of an MP4's tracks
ENDINGS = [".mp4", ".m4v", ".mov", ".mkv", ".webm"]
TEXT = ["hello", "good {\\i1}bye{\\i0}"]
SAID = [(start, text) for (start, _, _), text in zip(LINES, TEXT, strict=True)]


def clip(tmp_path: Path, ending: str, extras: Extras, sound: int = 2) -> Path:
    source = make(tmp_path / "plain.mkv", sound=["libopus" if ending == ".webm" else "aac"] * sound)
    return remade(source, tmp_path / f"in{ending}", extras)


def flags(path: Path, kind: str) -> list[int]:
    with av.open(str(path)) as container:
        return [stream.disposition.value for stream in container.streams if stream.type == kind]


def tags(path: Path, kind: str, key: str) -> list[str | None]:
    with av.open(str(path)) as container:
        return [stream.metadata.get(key) for stream in container.streams if stream.type == kind]


@pytest.mark.parametrize("source", [".mp4", ".mkv"])
@pytest.mark.parametrize("target", ENDINGS)
def test_languages_titles_and_the_default_of_sound_are_kept(
    source: str, target: str, tmp_path: Path, segrun: Run
) -> None:
    sound = [
        ({"language": "eng", "title": "Main"}, 0),
        ({"language": "deu", "title": "Kommentar"}, FLAGS.default.value),
    ]
    path = clip(tmp_path, source, Extras(sound=sound))
    notes = segrun(path, tmp_path / f"out{target}").notes
    titles = READS_NAMES or source == ".mkv"
    assert sum("of a track has no place" in note for note in notes) == (2 if target == ".m4v" and titles else 0)
    german = "ger" if target == ".mov" else "deu"  # QuickTime's list has the other of the two codes
    assert tags(tmp_path / f"out{target}", "audio", "language") == ["eng", german]
    if READS_NAMES:
        title = "title" if target in (".mkv", ".webm") else "name"
        expected = ["Main", "Kommentar"] if target != ".m4v" else [None] * 2
        assert tags(tmp_path / f"out{target}", "audio", title) == expected
    assert [bool(one & FLAGS.default.value) for one in flags(tmp_path / f"out{target}", "audio")] == [False, True]


@pytest.mark.parametrize(("ending", "codec"), [(".mkv", "subrip"), (".mkv", "webvtt"), (".mp4", "mov_text")])
def test_subtitles_are_copied_packet_for_packet(ending: str, codec: str, tmp_path: Path, segrun: Run) -> None:
    path = clip(tmp_path, ending, Extras(words=[Words(codec=codec, metadata={"language": "fra"}), Words(codec=codec)]))
    assert segrun(path, tmp_path / f"out{ending}").notes == []
    assert packets(tmp_path / f"out{ending}", "subtitle") == packets(path, "subtitle")
    assert len(packets(path, "subtitle")[1]) >= len(LINES)
    assert tags(tmp_path / f"out{ending}", "subtitle", "language")[0] == "fra"


@pytest.mark.parametrize(
    ("source", "codec", "target", "made", "choose"),
    [
        (".mkv", "subrip", ".mp4", "mov_text", ".mkv"),
        (".mkv", "subrip", ".mov", "mov_text", ".mkv"),
        (".mkv", "subrip", ".m4v", "mov_text", ".mkv"),
        (".mp4", "mov_text", ".mkv", "subrip", ".mp4 or .mov"),
        (".mp4", "mov_text", ".webm", "webvtt", ".mp4 or .mov"),
        (".mkv", "webvtt", ".mp4", "mov_text", ".mkv"),
        (".mkv", "subrip", ".webm", "webvtt", ".mkv"),
    ],
)
def test_text_becomes_what_the_container_has(
    source: str, codec: str, target: str, made: str, choose: str, tmp_path: Path, segrun: Run
) -> None:
    lines = [(start, end, text.replace("<i>", "").replace("</i>", "")) for start, end, text in LINES]
    path = clip(
        tmp_path, source, Extras(words=[Words(codec=codec, lines=lines, metadata={"language": "eng"})]), sound=0
    )
    out = tmp_path / f"out{target}"
    assert segrun(path, out).notes == [
        f"subtitles: {codec} has no place in {target}, converted to {made}; choose {choose} to copy them as they are"
    ]
    assert spoken(out) == [(start, text) for start, _, text in lines]
    with av.open(str(out)) as container:
        assert container.streams.subtitles[0].codec_context.codec.canonical_name == made
        shown = [p for p in container.demux(container.streams.subtitles[0]) if p.size and p.decode()]
        assert [round(p.duration * p.time_base / MS) for p in shown] == [end - start for start, end, _ in lines]
    assert tags(out, "subtitle", "language") == ["eng"]


def test_italics_stay_where_both_forms_know_them(tmp_path: Path, segrun: Run) -> None:
    path = clip(tmp_path, ".mkv", Extras(words=[Words()]))
    segrun(path, tmp_path / "out.mp4")
    segrun(tmp_path / "out.mp4", tmp_path / "back.mkv")
    assert [text for _, text in packets(tmp_path / "back.mkv", "subtitle")[0]] == [b"hello", b"good <i>bye</i>"]


def test_forced_subtitles_and_those_for_the_deaf_stay_so(tmp_path: Path, segrun: Run) -> None:
    both = (FLAGS.forced | FLAGS.hearing_impaired).value
    path = clip(tmp_path, ".mkv", Extras(words=[Words(), Words(disposition=both)]), sound=0)
    for ending in (".mkv", ".mp4"):
        segrun(path, tmp_path / f"out{ending}")
        first, second = flags(tmp_path / f"out{ending}", "subtitle")
        assert (first & both, second & both) == (0, both)
    (note,) = segrun(path, tmp_path / "out.webm").notes[1:]
    assert note == "flag: hearing_impaired of a track has no place in .webm; choose .mp4 or .mkv to keep it"
    assert flags(tmp_path / "out.webm", "subtitle")[1] & both == FLAGS.forced.value
    lost = [
        f"flag: {name} of a track has no place in .mov; choose .mp4 or .mkv to keep it"
        for name in ("forced", "hearing_impaired")
    ]
    assert segrun(path, tmp_path / "out.mov").notes[1:] == lost


@pytest.mark.parametrize("codec", ["hdmv_pgs_subtitle", "dvb_subtitle"])
def test_subtitles_that_are_pictures_are_kept_or_named(codec: str, tmp_path: Path, segrun: Run) -> None:
    lines = [(0, 100, b"\x16\x00\x01bitmap"), (200, 300, b"\x16\x00\x02bitmap")]
    path = clip(tmp_path, ".mkv", Extras(words=[Words(codec=codec, lines=lines)]), sound=1)
    assert segrun(path, tmp_path / "out.mkv").notes == []
    assert packets(tmp_path / "out.mkv", "subtitle") == packets(path, "subtitle")
    said = f"subtitles: {codec} has no place in .mp4 and was left out; choose .mkv to keep it"
    assert segrun(path, tmp_path / "out.mp4").notes == [said]
    assert packets(tmp_path / "out.mp4", "subtitle") == []
    assert packets(tmp_path / "out.mp4")[0]


@pytest.mark.parametrize("source", [".mp4", ".mkv"])
@pytest.mark.parametrize("target", ENDINGS)
def test_chapters_and_title_are_kept(source: str, target: str, tmp_path: Path, segrun: Run) -> None:
    path = clip(
        tmp_path, source, Extras(chapters=CHAPTERS, metadata={"title": "A talk", "artist": "Somebody"}), sound=0
    )
    assert segrun(path, tmp_path / f"out{target}").notes == []
    assert chapters(tmp_path / f"out{target}") == [(start / 1000, end / 1000, title) for start, end, title in CHAPTERS]
    found = metadata(tmp_path / f"out{target}")
    assert (found["title"], found["artist"]) == ("A talk", "Somebody")


@pytest.mark.parametrize("source", [".mp4", ".mkv"])
@pytest.mark.parametrize("target", ENDINGS)
def test_chapters_begin_with_their_frames(source: str, target: str, tmp_path: Path, segrun: Run) -> None:
    """AAC begins before 0; where a container has no such times, all moves by it."""
    path = clip(tmp_path, source, Extras(chapters=CHAPTERS), sound=1)
    assert packets(path)[0][0][0] < times(path)[0]
    segrun(path, tmp_path / f"out{target}")
    first = times(tmp_path / f"out{target}")[0]
    begins = [start - float(first) for start, _, _ in chapters(tmp_path / f"out{target}")]
    assert begins == pytest.approx([0, 0.2], abs=0.0015)


def test_sound_in_a_codec_that_nobody_knows_is_named(tmp_path: Path, segrun: Run) -> None:
    """As an iPhone's spatial sound, next to a track in AAC: here that track twice, one with other letters."""
    path = clip(tmp_path, ".mp4", Extras(), sound=2)
    data = path.read_bytes()
    at = data.rindex(b"mp4a")
    path.write_bytes(data[:at] + data[at:].replace(b"mp4a", b"apac").replace(b"esds", b"dapa"))
    with av.open(str(path)) as container:
        assert [stream.codec_context is None for stream in container.streams.audio] == [False, True]
    for ending in (".mp4", ".mkv", ".mov"):
        assert segrun(path, tmp_path / f"out{ending}").notes == ["sound in a codec that is not known here was left out"]
        assert [len(track) for track in packets(tmp_path / f"out{ending}")] == [len(packets(path)[0])]


@pytest.mark.parametrize("target", ENDINGS)
def test_chapters_after_the_end_of_the_result_do_not_make_it_longer(target: str, tmp_path: Path, segrun: Run) -> None:
    """As of an hour's video that was stopped after a moment."""
    later = [(0, 200, "One"), (200, 60_000, "Two"), (60_000, 3_600_000, "Three")]
    path = clip(tmp_path, ".mkv", Extras(chapters=later), sound=0)
    segrun(path, tmp_path / f"out{target}")
    assert chapters(tmp_path / f"out{target}") == [(0, 0.2, "One"), (0.2, 0.48, "Two")]
    with av.open(str(tmp_path / f"out{target}")) as container:
        assert container.duration / av.time_base == pytest.approx(0.48, abs=0.01)


@pytest.mark.parametrize("ending", [".jpg", ".png"])
@pytest.mark.parametrize("source", [".mp4", ".mkv"])
def test_a_cover_picture_is_kept_where_it_has_a_place(ending: str, source: str, tmp_path: Path, segrun: Run) -> None:
    cover = picture(ending)
    media_type = {".jpg": "image/jpeg", ".png": "image/png"}[ending]
    extras = Extras(files=[(f"cover{ending}", media_type, cover)]) if source == ".mkv" else Extras(cover=cover)
    path = clip(tmp_path, source, extras, sound=1)
    assert covers(path) == [cover]
    for target in (".mp4", ".mkv"):
        statistics = segrun(path, tmp_path / f"out{target}")
        assert (statistics.frames, statistics.notes) == (12, [])
        assert covers(tmp_path / f"out{target}") == [cover]
    for target in (".mov", ".m4v"):
        said = f"cover picture: has no place in {target} and was left out; choose .mp4 or .mkv to keep it"
        assert segrun(path, tmp_path / f"out{target}").notes == [said]


def test_attached_files_are_kept_in_matroska_and_named_elsewhere(tmp_path: Path, segrun: Run) -> None:
    font = bytes(range(256)) * 4
    path = clip(
        tmp_path, ".mkv", Extras(files=[("a font.ttf", "font/ttf", font), ("b.ttf", "font/ttf", font)]), sound=1
    )
    assert segrun(path, tmp_path / "out.mkv").notes == []
    with av.open(str(tmp_path / "out.mkv")) as container:
        kept = [(s.metadata["filename"], s.mimetype, s.data) for s in container.streams if s.type == "attachment"]
    assert kept == [("a font.ttf", "font/ttf", font), ("b.ttf", "font/ttf", font)]
    assert segrun(path, tmp_path / "out.mp4").notes == [
        "attached files: a font.ttf, b.ttf have no place in .mp4 and were left out; choose .mkv to keep them"
    ]


def test_what_a_phone_says_of_place_time_and_itself_is_kept(tmp_path: Path, segrun: Run) -> None:
    said = {
        "creation_time": "2026-01-02T03:04:05.000000Z",
        "com.apple.quicktime.make": "Apple",
        "com.apple.quicktime.location.iso6709": "+48.8577+002.2950+035.000/",
        "com.apple.quicktime.creationdate": "2026-01-02T04:04:05+0100",
    }
    path = clip(tmp_path, ".mov", Extras(metadata=said, options={"movflags": "use_metadata_tags"}))
    assert metadata(path).items() >= said.items()
    for ending in (".mov", ".mp4", ".mkv"):
        assert segrun(path, tmp_path / f"out{ending}").notes == []
        assert metadata(tmp_path / f"out{ending}").items() >= said.items()
    segrun(tmp_path / "out.mkv", tmp_path / "back.mov")  # through capitals
    with av.open(str(tmp_path / "back.mov")) as container:
        assert container.metadata["com.apple.quicktime.location.ISO6709"] == "+48.8577+002.2950+035.000/"
        assert container.metadata["com.apple.quicktime.make"] == "Apple"


def test_metadata_without_a_place_is_named(tmp_path: Path, segrun: Run) -> None:
    said = {"make": "Canon", "model": "EOS", "location": "+48.8577+002.2950/", "comment": "there"}
    path = clip(tmp_path, ".mov", Extras(metadata=said))
    assert segrun(path, tmp_path / "out.mov").notes == []
    assert metadata(tmp_path / "out.mov").items() >= said.items()
    assert segrun(path, tmp_path / "out.mp4").notes == [
        "metadata: make, model have no place in .mp4; choose .mkv to keep them"
    ]
    assert metadata(tmp_path / "out.mp4")["location"] == said["location"]


@pytest.mark.parametrize("ending", [".avi", ".mkv"])
@pytest.mark.parametrize("target", [".mp4", ".mkv"])
def test_a_title_that_is_no_utf_8_is_no_reason_to_refuse_a_video(
    ending: str, target: str, tmp_path: Path, segrun: Run
) -> None:
    """Windows programs write their own code page."""
    source = make(tmp_path / "plain.mkv", sound=["libmp3lame"], codec="mpeg4", options={})
    path = remade(
        source, tmp_path / f"in{ending}", Extras(metadata={"title": "M~ller"}, sound=[({"title": "Gr~n"}, 0)])
    )
    data = path.read_bytes()
    for name in (b"M~ller", b"Gr~n"):
        data = data.replace(name, name.replace(b"~", "ü".encode("cp1252")))
    path.write_bytes(data)
    assert segrun(path, tmp_path / f"out{target}").notes == []
    assert metadata(tmp_path / f"out{target}")["title"] == "Müller"
    if ending == ".mkv" and (READS_NAMES or target == ".mkv"):
        assert tags(tmp_path / f"out{target}", "audio", "title" if target == ".mkv" else "name") == ["Grün"]


@pytest.mark.parametrize("source", [".mov", ".mkv"])
def test_a_timecode_stays_and_is_no_data_track_that_was_lost(source: str, tmp_path: Path, segrun: Run) -> None:
    path = clip(tmp_path, source, Extras(picture={"timecode": "01:02:03:04"}))
    with av.open(str(path)) as container:
        if source == ".mov" and [stream.type for stream in container.streams].count("data") != 1:
            pytest.skip("PyAV before 18 gives a copied picture no frame rate, and so no timecode")
    for ending, key in ((".mov", "timecode"), (".mp4", "timecode"), (".mkv", "TIMECODE")):
        assert segrun(path, tmp_path / f"out{ending}").notes == []
        assert tags(tmp_path / f"out{ending}", "video", key) == ["01:02:03:04"]


@pytest.mark.parametrize("target", ENDINGS)
def test_a_tape_of_dv_whose_clock_is_taken_for_its_frame_rate(target: str, tmp_path: Path, segrun: Run) -> None:
    """ffmpeg says 60000 frames a second of it, at which no muxer writes its timecode."""
    dv = {"codec": "dvvideo", "size": (720, 576), "options": {}, "format": "dv"}
    path = make(tmp_path / "in.dv", frames=5, sound=["pcm_s16le"], **dv)
    with av.open(str(path)) as container:
        assert (container.streams.video[0].average_rate, container.metadata["timecode"]) == (60000, "00:00:00:00")
    statistics = segrun(path, tmp_path / f"out{target}")
    assert statistics.frames == 5
    assert not any("timecode" in note for note in statistics.notes) or target == ".m4v"
    with av.open(str(tmp_path / f"out{target}")) as container:
        assert container.streams.video[0].average_rate == 25


def test_a_timecode_that_its_frame_rate_cannot_count_is_named(tmp_path: Path, segrun: Run) -> None:
    source = make(tmp_path / "plain.mkv", times=[0, 40, 110, 400], time_base=MS)
    path = remade(source, tmp_path / "in.mkv", Extras(picture={"timecode": "01:02:03;04"}))
    said = "timecode: 01:02:03;04 has no place in .mp4 at this frame rate"
    assert segrun(path, tmp_path / "out.mp4").notes == [said]
    assert segrun(path, tmp_path / "out.mkv").notes == []


def test_a_camera_s_track_of_measurements_is_kept_or_named(tmp_path: Path, segrun: Run) -> None:
    """As GoPro writes where it was and how it moved: here a track of text whose four letters are changed to those."""
    lines = [(0, 200, "GPMD 1"), (200, 400, "GPMD 2")]
    path = clip(tmp_path, ".mp4", Extras(words=[Words(codec="mov_text", lines=lines)]), sound=1)
    data = path.read_bytes()
    assert (data.count(b"tx3g"), data.count(b"sbtl")) == (1, 1)
    path.write_bytes(data.replace(b"tx3g", b"gpmd").replace(b"sbtl", b"meta"))
    for ending in (".mp4", ".mov"):
        assert segrun(path, tmp_path / f"out{ending}").notes == []
        assert packets(tmp_path / f"out{ending}", "data") == packets(path, "data") != []
    said = "data: bin_data has no place in .mkv and was left out; choose .mp4 or .mov to keep it"
    assert segrun(path, tmp_path / "out.mkv").notes == [said]


def test_what_a_file_says_of_itself_makes_no_message_long_and_stops_nothing(tmp_path: Path, segrun: Run) -> None:
    many = {f"key{i}": "v" for i in range(500)} | {"title": "ü" * 100_000, "timecode": "hello"}
    odd = {"language": "x\n" * 500, "title": "a\nb\x1b[31m"}
    path = clip(tmp_path, ".mkv", Extras(metadata=many, picture={"timecode": "hi"}, sound=[(odd, 0)]), sound=1)
    for ending in ENDINGS:
        statistics = segrun(path, tmp_path / f"out{ending}")
        assert statistics.frames == 12
        assert all(len(note) < 300 and note.isprintable() for note in statistics.notes)
        assert len(statistics.notes) <= 6


def test_a_second_picture_is_named(tmp_path: Path, segrun: Run) -> None:
    with (
        av.open(str(tmp_path / "in.mkv"), "w") as to,
        av.open(str(make(tmp_path / "plain.mkv", sound=["aac"]))) as source,
    ):
        copies = [to.add_stream_from_template(stream, opaque=True) for stream in source.streams]
        again = to.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux():
            if packet.size:
                for stream in [copies[packet.stream.index], *([again] if packet.stream.type == "video" else [])]:
                    packet.stream = stream
                    to.mux(packet)
                    packet.stream = source.streams[0]
    said = "video: more than one track, of which the first is in the result and the others were left out"
    assert segrun(tmp_path / "in.mkv", tmp_path / "out.mp4").notes == [said]
