"""Animated GIF, WebP and PNG: frames, delays and loops stay, masks are refined over time; from and to videos."""

from __future__ import annotations

import errno
import io
import struct
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.each_case import each_case
from tests.video.clips import Frame, frames, make, person, planes, times

from segruntime.errors import MissingExtraError, OptionError, OutputError, PictureError
from segruntime.picture_files import kind_of, read_picture
from segruntime.picture_files.animated import frames_in
from segruntime.picture_files.writers import WRITERS
from segruntime.run.pictures.names import result_name
from segruntime.run.statistics import Statistics

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")

Run = Callable[..., Statistics]
Refuses = Callable[..., None]
DELAYS_MS = (70, 200, 40, 130)
KINDS = (".gif", ".webp", ".apng", ".png")
NOT_BY_NAME = {".apng": "png"}


def shades(count: int = 4, size: tuple[int, int] = (64, 48)) -> list[Any]:
    """Gray from left to right, a step brighter with each frame."""
    ramp = np.linspace(20, 120, size[0]).astype(np.uint8)
    return [Image.fromarray(np.repeat(np.tile(ramp + 20 * k, (size[1], 1))[..., None], 3, 2)) for k in range(count)]


def save(path: Path, pictures: Sequence[Any] | None = None, **how: Any) -> Path:
    """An animation by Pillow's own writer, lossless where the kind can be."""
    first, *rest = shades() if pictures is None else pictures
    path.parent.mkdir(parents=True, exist_ok=True)
    words = {"save_all": True, "append_images": rest, "duration": list(DELAYS_MS), "loop": 3, "lossless": True, **how}
    first.save(path, NOT_BY_NAME.get(path.suffix.lower(), path.suffix[1:]), **words)
    return path


def load(path: Path) -> list[tuple[Frame, int]]:
    """Of each frame as it is shown, `(H, W, 4) uint8, RGBA`, and for how many ms."""
    with Image.open(path) as image:
        found = []
        for number in range(image.n_frames):
            image.seek(number)
            found.append((np.asarray(image.convert("RGBA")), round(image.info["duration"])))
        return found


def loops(path: Path) -> int:
    with Image.open(path) as image:
        return int(image.info["loop"])


def tree(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if ".segrun" not in path.parts}


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("kind", KINDS)
def test_frames_delays_and_loops_of_an_animation_stay(kind: str, tmp_path: Path, segrun: Run) -> None:
    source = save(tmp_path / f"in{kind}")
    assert frames_in(source) == 4
    assert segrun(source, tmp_path / f"out{kind}").frames == 4
    before, after = load(source), load(tmp_path / f"out{kind}")
    assert [delay for _, delay in after] == list(DELAYS_MS)
    assert loops(tmp_path / f"out{kind}") == 3
    for (was, _), (got, _) in zip(before, after, strict=True):
        np.testing.assert_allclose(got.astype(int), was.astype(int), atol=0 if "png" in kind else 4)


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize(("source", "output"), [(".gif", ".webp"), (".webp", ".apng"), (".apng", ".gif")])
def test_one_kind_of_animation_becomes_another(source: str, output: str, tmp_path: Path, segrun: Run) -> None:
    segrun(save(tmp_path / f"in{source}"), tmp_path / f"out{output}")
    after = load(tmp_path / f"out{output}")
    assert [delay for _, delay in after] == list(DELAYS_MS)
    # a GIF counts how often it begins again, the others how often it plays
    assert loops(tmp_path / f"out{output}") == {".webp": 4, ".apng": 3, ".gif": 2}[output]
    for (got, _), picture in zip(after, shades(), strict=True):
        np.testing.assert_allclose(got[..., :3].astype(int), np.asarray(picture).astype(int), atol=6)


@pytest.mark.usefixtures("everywhere")
def test_an_animated_avif_becomes_a_webp_where_kinds_are_kept(tmp_path: Path, segrun: Run) -> None:
    source = save(tmp_path / "in" / "a.avif", quality=95)
    assert (kind_of(source), frames_in(source)) == ("animation", 4)
    segrun(tmp_path / "in", tmp_path / "out")
    after = load(tmp_path / "out" / "a.webp")
    assert [delay for _, delay in after] == list(DELAYS_MS)
    for (got, _), picture in zip(after, shades(), strict=True):
        np.testing.assert_allclose(got[..., :3].astype(int), np.asarray(picture).astype(int), atol=6)


@pytest.mark.usefixtures("left")
@pytest.mark.parametrize("kind", [".webp", ".apng"])
def test_a_transparent_animation_has_soft_alpha(kind: str, tmp_path: Path, segrun: Run) -> None:
    statistics = segrun(save(tmp_path / f"in{kind}"), tmp_path / f"out{kind}", "transparent")
    assert statistics.notes == []
    for got, _ in load(tmp_path / f"out{kind}"):
        assert got[:, :24, 3].min() == 255
        assert got[:, 40:, 3].max() == 0
        assert len(np.unique(got[..., 3])) > 2


@pytest.mark.usefixtures("left")
def test_a_transparent_gif_is_hard_and_says_so(tmp_path: Path, segrun: Run) -> None:
    statistics = segrun(save(tmp_path / "in.gif"), tmp_path / "out.gif", "transparent")
    (note,) = statistics.notes
    assert note == "a GIF's transparency is all or nothing: soft edges became hard; .webp and .apng keep them"
    for got, _ in load(tmp_path / "out.gif"):
        assert set(np.unique(got[..., 3])) == {0, 255}
        assert got[:, :24, 3].min() == 255
        assert got[:, 40:, 3].max() == 0


def test_masks_are_refined_over_time_within_an_animation_and_not_beyond(
    everywhere: Any, tmp_path: Path, segrun: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a certain mask comes one of doubt, which borrows from the one before where the picture is the same."""
    found = [0.5, 1.0, 0.5] * 2
    monkeypatch.setattr(type(everywhere), "coarse", lambda *_: np.full((32, 32), found.pop(0), np.float32))
    still = [Image.fromarray(person(64, 48)) for _ in range(3)]
    for k, picture in enumerate(still):  # writers make one of frames that are the same
        picture.putpixel((0, 0), (k, k, k))
    for name in ("a.webp", "b.webp"):
        save(tmp_path / "in" / name, still, duration=100)
    segrun(tmp_path / "in", tmp_path / "out", "alpha", preset="balanced")
    one, other = (
        [got[..., 0].astype(int) for got, _ in load(tmp_path / "out" / name)] for name in ("a.webp", "b.webp")
    )
    assert (one[2] > one[0] + 10).all()
    np.testing.assert_array_equal(one, other)


def test_the_network_sees_the_first_frame_of_each_file_whatever_every_says(
    everywhere: Any, tmp_path: Path, segrun: Run
) -> None:
    save(tmp_path / "in" / "a.webp")
    for name in ("b.png", "c.png"):
        assert cv2.imwrite(str(tmp_path / "in" / name), person(64, 48))
    segrun(tmp_path / "in", tmp_path / "out", every=3)
    assert everywhere.calls == 2 + 1 + 1


@pytest.mark.usefixtures("everywhere")
def test_disposal_and_blending_are_the_librarys_work(tmp_path: Path, segrun: Run) -> None:
    """Of three GIF frames the second is a small piece that goes away again: disposal 2 (background) leaves nothing there."""
    whole, piece = _gif_frame((0, 0, 8, 8), 1, 1), _gif_frame((2, 2, 4, 4), 2, 2)
    (tmp_path / "in.gif").write_bytes(_GIF_HEAD + whole + piece + _gif_frame((0, 0, 1, 1), 1, 1) + b";")
    segrun(tmp_path / "in.gif", tmp_path / "out.apng", keep_alpha=True, background="transparent")
    first, second, third = (got for got, _ in load(tmp_path / "out.apng"))
    inside = np.zeros((8, 8), bool)
    inside[2:6, 2:6] = True
    assert (first == [255, 0, 0, 255]).all()
    assert (second[inside] == [0, 255, 0, 255]).all()
    assert (second[~inside] == [255, 0, 0, 255]).all()
    assert (third[~inside] == [255, 0, 0, 255]).all()
    assert (third[inside][:, 3] == 0).all()


_GIF_HEAD = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x81, 0, 0) + bytes([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 0])


def _gif_frame(place: tuple[int, int, int, int], colour: int, disposal: int) -> bytes:
    """A block of one colour; every pixel is followed by a clear code, so that no code grows: 3-bit codes, 4 clears, 5 ends."""
    codes = [4] + [code for _ in range(place[2] * place[3]) for code in (colour, 4)] + [5]
    bits = sum(code << (3 * k) for k, code in enumerate(codes))
    data = bits.to_bytes((3 * len(codes) + 7) // 8, "little")
    parts = b"".join(bytes([len(data[k : k + 255])]) + data[k : k + 255] for k in range(0, len(data), 255))
    clear_colour = 3
    control = b"!\xf9\x04" + struct.pack("<BHBB", disposal << 2 | 1, 10, clear_colour, 0)
    return control + b"," + struct.pack("<HHHHB", *place, 0) + b"\x02" + parts + b"\0"


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("output", ["out.mp4", "out.webm"])
def test_an_animation_becomes_a_video_with_its_times(output: str, tmp_path: Path, segrun: Run) -> None:
    assert segrun(save(tmp_path / "in.webp"), tmp_path / output).frames == 4
    assert times(tmp_path / output) == [Fraction(ms, 1000) for ms in (0, 70, 270, 310)]
    for frame, picture in zip(frames(tmp_path / output), shades(), strict=True):
        gray = (planes(frame)[0].astype(float) - 16) * 255 / 219
        np.testing.assert_allclose(gray.mean(), np.asarray(picture).mean(), atol=3)


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("output", ["out.gif", "out.webp", "out.apng"])
def test_a_video_becomes_an_animation_with_its_times(output: str, tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mp4", frames=4, times=[0, 2, 3, 6], sound=["aac"])
    statistics = segrun(clip, tmp_path / output)
    assert statistics.notes == [f"{output}: has no place for sound and other tracks, they were left out"]
    after = load(tmp_path / output)
    assert [delay for _, delay in after[:3]] == [80, 40, 120]
    assert loops(tmp_path / output) == 0
    for k, (got, _) in enumerate(after):
        assert abs(got[..., :3].astype(int) - person(160, 120, k)[..., ::-1].astype(int)).mean() < 6


@pytest.mark.usefixtures("everywhere")
def test_a_gif_of_a_fast_video_leaves_frames_out_and_says_so(tmp_path: Path, segrun: Run) -> None:
    """Players show a frame of less than 0.02 s for 0.1 s: the GIF would be six times as long."""
    statistics = segrun(make(tmp_path / "in.mp4", frames=12, rate=Fraction(60)), tmp_path / "out.gif")
    delays = [delay for _, delay in load(tmp_path / "out.gif")]
    assert min(delays) >= 20
    assert sum(delays) == pytest.approx(200, abs=20)
    assert statistics.notes == ["out.gif: shows at most 50 pictures a second, 6 frames were left out"]


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("delay_ms", [0, 10])
def test_a_delay_that_players_do_not_follow_is_the_one_that_they_show(
    delay_ms: int, tmp_path: Path, segrun: Run
) -> None:
    save(tmp_path / "in.gif", duration=delay_ms)
    segrun(tmp_path / "in.gif", tmp_path / "out.mp4")
    assert times(tmp_path / "out.mp4") == [Fraction(k, 10) for k in range(4)]


@pytest.mark.usefixtures("everywhere")
def test_an_animation_of_one_frame_is_a_picture(tmp_path: Path, segrun: Run) -> None:
    for kind in KINDS:
        source = save(tmp_path / f"one{kind}", shades(1), duration=70)
        assert kind_of(source) == "picture"
        segrun(source, tmp_path / "out.jpg", overwrite=True)
        np.testing.assert_allclose(read_picture(tmp_path / "out.jpg"), np.asarray(shades(1)[0]), atol=8)


def test_an_animation_has_no_place_in_a_jpeg(tmp_path: Path, refuses: Refuses) -> None:
    said = r"out\.jpg: has place for one picture, the input has many; expected \.gif, \.webp, \.apng, \.png, \.mp4, "
    refuses(OptionError, said, save(tmp_path / "in.gif"), tmp_path / "out.jpg")


@pytest.mark.usefixtures("everywhere")
def test_frames_of_an_animation_become_numbered_pictures(tmp_path: Path, segrun: Run) -> None:
    segrun(save(tmp_path / "in.webp"), tmp_path / "f" / "%03d.png")
    assert tree(tmp_path / "f") == {f"{k}.png".rjust(7, "0") for k in range(1, 5)}
    for k, picture in enumerate(shades()):
        np.testing.assert_array_equal(read_picture(tmp_path / "f" / f"00{k + 1}.png"), np.asarray(picture))


@pytest.mark.usefixtures("left")
@pytest.mark.parametrize("background", ["green", "transparent", "alpha"])
def test_animations_of_a_folder_keep_their_kinds_and_stills_theirs(
    background: str, tmp_path: Path, segrun: Run
) -> None:
    moving = {"a b/ü.GIF", "日本.webp", "c.PNG", "d.apng"}
    for name in moving:
        save(tmp_path / "in" / name)
    for name in ("e.png", "f.jpg"):
        assert cv2.imwrite(str(tmp_path / "in" / name), person(64, 48))
    summary = segrun(tmp_path / "in", tmp_path / "out", background)
    assert (summary.progress.frames, summary.errors) == (4 * len(moving) + 2, [])
    assert tree(tmp_path / "out") == {*moving, "e.png", "f.jpg" if background == "green" else "f.png"}
    for name in moving:
        assert [delay for _, delay in load(tmp_path / "out" / name)] == list(DELAYS_MS)


@pytest.mark.usefixtures("left")
@pytest.mark.parametrize("kind", [".apng", ".webp"])
def test_the_alpha_of_an_animation_is_kept_where_that_is_asked_for(kind: str, tmp_path: Path, segrun: Run) -> None:
    """The new alpha times the old one: left of the middle the old one alone."""
    clear = [picture.convert("RGBA") for picture in shades()]
    for k, picture in enumerate(clear):
        picture.putalpha(60 * (k + 1))
    source = save(tmp_path / f"in{kind}", clear, exact=True)
    for words, expected in (({}, [255] * 4), ({"keep_alpha": True}, [60, 120, 180, 240])):
        statistics = segrun(source, tmp_path / f"out{kind}", "transparent", overwrite=True, **words)
        got = [got for got, _ in load(tmp_path / f"out{kind}")]
        assert [int(one[20, 8, 3]) for one in got] == expected
        assert all(one[20, 60, 3] == 0 for one in got)
        left_out = "the transparency that it has was left out; --keep-alpha keeps it"
        assert statistics.notes == ([] if words else [left_out])


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("kind", [".gif", ".apng"])
def test_a_cut_animation_gives_the_frames_that_are_whole(kind: str, tmp_path: Path, segrun: Run) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (6, 48, 64, 3), np.uint8)
    source, output = tmp_path / f"in{kind}", tmp_path / f"out{kind}"
    whole = save(source, [Image.fromarray(one) for one in noise], duration=100).read_bytes()
    for part in (0.5, 0.6, 2 / 3, 0.7, 0.999):
        source.write_bytes(whole[: int(len(whole) * part)])
        statistics = segrun(source, output, overwrite=True)
        assert 2 <= statistics.frames <= 6
        assert len(load(output)) == statistics.frames
        (note,) = statistics.notes
        assert note.startswith("ends early (")
        assert note.endswith(f"; {statistics.frames} frames were done")


@pytest.mark.usefixtures("everywhere")
def test_a_cut_webp_is_refused(tmp_path: Path, refuses: Refuses) -> None:
    source = save(tmp_path / "in.webp")
    source.write_bytes(source.read_bytes()[:-9])
    refuses(
        PictureError, r"in\.webp: .*, expected an animation that is whole; copy it again", source, tmp_path / "o.webp"
    )


@pytest.mark.usefixtures("everywhere")
def test_what_pillow_stumbles_over_is_a_refusal(tmp_path: Path, refuses: Refuses) -> None:
    """A clock of 0 ticks a second, by which Pillow divides."""
    source = save(tmp_path / "in.avif")
    data = source.read_bytes()
    at = data.index(b"mdhd") + 4
    wide = data[at] == 1  # version 1: times of 8 bytes
    place = at + 4 + (16 if wide else 8)
    source.write_bytes(data[:place] + bytes(4) + data[place + 4 :])
    refuses(PictureError, r"in\.avif: .*, expected an animation that is whole", source, tmp_path / "o.webp")


@pytest.mark.usefixtures("everywhere")
def test_nothing_is_left_of_an_animation_that_its_kind_has_no_room_for(tmp_path: Path, refuses: Refuses) -> None:
    """A WebP is at most 16383 pixels wide; with the frame before it the file has begun."""
    wide = [Image.fromarray(np.full((4, 16400, 3), 40 * k, np.uint8)) for k in range(3)]
    source = save(tmp_path / "in.apng", wide, duration=100)
    said = r"o\.webp: writing failed \(.+\); free some space, or choose another kind or place"
    refuses(OutputError, said, source, tmp_path / "o.webp")


@pytest.mark.usefixtures("everywhere")
def test_nothing_is_left_of_an_animation_where_the_disk_is_full(
    tmp_path: Path, refuses: Refuses, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = iter(range(2))

    def full(*_: Any) -> None:
        if next(written, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(WRITERS[".webp"], "add", full)
    source = save(tmp_path / "in.webp")
    refuses(OutputError, r"o\.webp: writing failed \(No space left on device\)", source, tmp_path / "o.webp")


@pytest.mark.usefixtures("everywhere")
def test_a_gif_without_a_frame_is_refused(tmp_path: Path, refuses: Refuses) -> None:
    source = tmp_path / "in.gif"
    source.write_bytes(b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0) + b";")
    refuses(PictureError, r"in\.gif: GIF cannot be decoded .*, expected a picture", source, tmp_path / "o.gif")


@pytest.mark.usefixtures("everywhere")
def test_the_picture_that_a_png_shows_where_nothing_moves_is_no_frame(tmp_path: Path, segrun: Run) -> None:
    cover = Image.new("RGB", (64, 48), (255, 0, 0))
    save(tmp_path / "in.png", [cover, *shades()], default_image=True)
    assert segrun(tmp_path / "in.png", tmp_path / "out.png").frames == 4
    assert [delay for _, delay in load(tmp_path / "out.png")] == list(DELAYS_MS)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("kind", [".gif", ".webp", ".apng"])
def test_an_animated_background_moves_in_its_own_time_and_begins_again(kind: str, tmp_path: Path, segrun: Run) -> None:
    """Delays of 70, 200, 40 and 130 ms behind 12 frames of 40 ms each."""
    save(tmp_path / f"behind{kind}")
    segrun(make(tmp_path / "in.mp4", frames=12), tmp_path / "out.mp4", tmp_path / f"behind{kind}")
    shown = [0, 0, 1, 1, 1, 1, 1, 2, 3, 3, 3, 0]  # at 0, 40, … 440 ms of 440
    means = [(planes(frame)[0].astype(float).mean() - 16) * 255 / 219 for frame in frames(tmp_path / "out.mp4")]
    np.testing.assert_allclose(means, [70 + 20 * k for k in shown], atol=4)


@pytest.mark.parametrize("kind", [".gif", ".webp", ".apng"])
def test_memory_does_not_grow_with_the_length(kind: str) -> None:
    """Each frame is written before the next one but one comes."""
    into = io.BytesIO()
    writer = WRITERS[kind](into, 0)
    image = cv2.resize(person(160, 120), (640, 480))
    grown = []
    tracemalloc.start()
    for k in range(24):
        before = into.tell()
        writer.add(image, (Fraction(k, 25), Fraction(k + 1, 25)))
        grown.append(into.tell() - before)
        if k % 8 == 7:
            into.seek(0)
            into.truncate()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert min(grown) > 1000
    assert peak < 8 * image.nbytes


@pytest.mark.usefixtures("everywhere")
@each_case("kind", KINDS)
@each_case("missing", ["PIL"])
def test_what_an_animation_needs_is_named(kind: str, missing: str, tmp_path: Path, segrun: Run) -> None:
    source = save(tmp_path / f"in{kind}")
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, missing, None)
        with pytest.raises(MissingExtraError, match=r"needs Pillow, which is not installed: pip install "):
            segrun(source, tmp_path / f"out{kind}")
    assert tree(tmp_path) == {f"in{kind}"}
    source.unlink()


@each_case(
    ("name", "kind", "results"),
    [
        ("a.JPG", "picture", ("a.JPG", "a.png", "a.png")),
        ("a.heic", "picture", ("a.heic", "a.png", "a.png")),
        ("a.GIF", "animation", ("a.GIF", "a.GIF", "a.GIF")),
        ("a.mp4", "video", ("a.mp4", "a.webm", "a.mp4")),
        ("a.mov", "video", ("a.mov", "a.mov", "a.mov")),
        ("a.AVI", "video", ("a.mp4", "a.webm", "a.mp4")),
        ("a.ts", "video", ("a.mp4", "a.webm", "a.mp4")),
        ("notes.txt", None, None),
    ],
)
def test_what_a_file_is_and_what_its_result_is_called(
    name: str, kind: str | None, results: tuple[str, str, str] | None, tmp_path: Path
) -> None:
    path = tmp_path / name
    if kind == "animation":
        save(path)
    else:
        path.write_bytes(b"\x47 what is inside is not looked at")
    assert kind_of(path) == kind
    if results is not None:
        assert tuple(result_name(path, mode) for mode in ("replaced", "transparent", "alpha")) == results


def test_a_program_in_typescript_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text("export const one = 1;")
    assert kind_of(tmp_path / "a.ts") is None
    assert kind_of(tmp_path / "gone.png") is None
