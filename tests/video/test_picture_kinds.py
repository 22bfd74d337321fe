"""Stills of every kind that people bring: HEIC and AVIF in and out, upright once, whole or refused, alpha kept where asked."""

from __future__ import annotations

import io
import re
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests import messages
from tests.each_case import each_case
from tests.video.clips import Frame, corners, make, person

from segruntime.errors import MissingExtraError, PictureError
from segruntime.picture_files import declared_size, decode_picture, kind_of, picture_kind, read_picture
from segruntime.picture_files.animated import frames_in
from segruntime.picture_files.decode import decode_still
from segruntime.run.statistics import Statistics

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")

Run = Callable[..., Statistics]
Refuses = Callable[..., None]
ORIENTATION = 0x112


def encoded(kind: str, picture: Frame, **how: Any) -> bytes:
    """`picture (H, W, 3)` BGR or `(H, W, 4)` BGRA as a file of a kind, by Pillow or libheif."""
    image = Image.fromarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB if picture.shape[2] == 3 else cv2.COLOR_BGRA2RGBA))
    into = io.BytesIO()
    if kind == "heic":
        heif.from_pillow(image).save(into, **{"quality": 95, **how})
    else:
        image.save(into, kind, **how)
    return into.getvalue()


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return bytes(exif.tobytes())


def quarters(picture: Frame) -> list[int]:
    """The gray in the middle of each quarter, the upper two first."""
    height, width = picture.shape[:2]
    rows, columns = (height // 4, 3 * height // 4), (width // 4, 3 * width // 4)
    return [round(float(picture[y, x].mean()) / 20) * 20 for y in rows for x in columns]


def decoded(data: bytes) -> Frame:
    found = decode_picture(data)
    assert not isinstance(found, str), found
    return found


# what EXIF 2.32 says of 1 to 8, for quarters of 40, 100 above and 160, 220 below
UPRIGHT = {
    1: [40, 100, 160, 220],
    2: [100, 40, 220, 160],
    3: [220, 160, 100, 40],
    4: [160, 220, 40, 100],
    5: [40, 160, 100, 220],
    6: [160, 40, 220, 100],
    7: [220, 100, 160, 40],
    8: [100, 220, 40, 160],
}


@each_case("kind", ["heic", "avif", "jpeg", "png", "webp", "tiff"])
@each_case("orientation", list(UPRIGHT))
def test_pictures_of_every_kind_are_turned_once(kind: str, orientation: int) -> None:
    """HEIC and AVIF say it twice: in their own properties, and in the EXIF beside them."""
    data = encoded(kind, corners(96, 64), exif=turned(orientation))
    found = decoded(data)
    shown = [round(v / 20) * 20 for v in UPRIGHT[orientation]]
    assert quarters(found) == shown, (kind, orientation)
    assert found.shape == ((64, 96, 3) if orientation < 5 else (96, 64, 3))


@each_case("kind", ["png", "webp"])
@each_case("orientation", list(UPRIGHT))
def test_alpha_is_turned_with_its_picture(kind: str, orientation: int) -> None:
    gray = corners(96, 64)
    words = {"exif": turned(orientation), **({"lossless": True, "exact": True} if kind == "webp" else {})}
    found = decode_still(encoded(kind, np.dstack([gray, gray[..., 0]]), **words))
    assert not isinstance(found, str)
    assert found.alpha is not None
    np.testing.assert_array_equal(found.alpha, found.pixels[..., 0])


def test_exif_alone_does_not_turn_a_heic() -> None:
    """ISO/IEC 23008-12 has properties for it; what is in the EXIF is for the reader's information."""
    data = encoded("heic", corners(96, 64), exif=turned(6))
    at = data.index(b"irot")
    assert quarters(decoded(data[:at] + b"free" + data[at + 4 :])) == UPRIGHT[1]


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("suffix", [".heic", ".HEIF", ".hif", ".avif", ".gif", ".jfif", ".jpe", ".apng"])
def test_newer_kinds_go_in_and_come_out(suffix: str, tmp_path: Path, segrun: Run) -> None:
    picture = person(96, 64)
    segrun(_saved(tmp_path / "in.png", encoded("png", picture)), tmp_path / f"out{suffix}")
    segrun(tmp_path / f"out{suffix}", tmp_path / "back.png")
    kind = {".jfif": "jpeg", ".jpe": "jpeg", ".apng": "png", ".gif": "gif", ".avif": "avif"}.get(suffix, "heif")
    assert picture_kind((tmp_path / f"out{suffix}").read_bytes()) == kind
    assert abs(read_picture(tmp_path / "back.png").astype(int) - picture.astype(int)).mean() < 4


@pytest.mark.usefixtures("left")
@pytest.mark.parametrize("suffix", [".heic", ".avif", ".gif"])
def test_a_cut_out_of_a_newer_kind_has_its_alpha(suffix: str, tmp_path: Path, segrun: Run) -> None:
    statistics = segrun(
        _saved(tmp_path / "in.png", encoded("png", person(96, 64))), tmp_path / f"out{suffix}", "transparent"
    )
    found = decode_still((tmp_path / f"out{suffix}").read_bytes())
    assert not isinstance(found, str)
    assert found.alpha is not None
    assert found.alpha[:, :30].min() > 250
    assert found.alpha[:, 66:].max() < 5
    assert len(statistics.notes) == (suffix == ".gif")


@pytest.mark.usefixtures("everywhere")
def test_a_folder_of_a_phone_keeps_names_and_kinds(tmp_path: Path, segrun: Run) -> None:
    names = {"IMG 0001.HEIC": "heic", "über/日本.avif": "avif", "a.JPG": "jpeg", "b.jfif": "jpeg"}
    for name, kind in names.items():
        _saved(tmp_path / "in" / name, encoded(kind, person(64, 48)))
    _saved(tmp_path / "in" / "c.DNG", b"II*\0")
    summary = segrun(tmp_path / "in", tmp_path / "out")
    assert (summary.progress.finished, summary.errors) == (len(names), [])
    assert all((tmp_path / "out" / name).is_file() for name in names)
    assert summary.notes == [f"{tmp_path}/in/c.DNG: is a raw photograph, which is not read; convert it first"]


def test_the_primary_picture_of_several_is_taken_and_that_is_said() -> None:
    both = heif.from_pillow(Image.fromarray(np.zeros((32, 64, 3), np.uint8)))
    both.add_from_pillow(Image.fromarray(corners(96, 64)))
    into = io.BytesIO()
    both.save(into, quality=95, save_all=True, primary_index=1)
    found = decode_still(into.getvalue())
    assert not isinstance(found, str)
    assert quarters(found.pixels) == UPRIGHT[1]
    assert found.notes == ("2 pictures in one file, the primary one was taken",)


def test_ten_bits_become_eight() -> None:
    deep = (corners(96, 64).astype(np.uint32) * 1023 // 255).astype("<u2").tobytes()
    into = io.BytesIO()
    heif.from_bytes(mode="RGB;10", size=(96, 64), data=deep).save(into, quality=95)
    assert heif.open_heif(into.getvalue()).info["bit_depth"] == 10
    assert quarters(decoded(into.getvalue())) == UPRIGHT[1]


def test_inks_of_a_jpeg_are_not_upside_down() -> None:
    """Adobe's programs write CMYK inverted and say so, as Pillow does: red is red."""
    red = Image.new("CMYK", (64, 48), (0, 255, 255, 0))
    into = io.BytesIO()
    red.save(into, "JPEG", quality=95)
    b, g, r = decoded(into.getvalue()).reshape(-1, 3).mean(0)
    assert (r > 240, g < 20, b < 20) == (True, True, True)


@each_case("kind", ["gray16.png", "gray1.png", "palette.png", "rgb16.tiff", "gray.tiff", "progressive.jpg"])
def test_depths_and_palettes_give_the_same_gray(kind: str) -> None:
    gray = corners(96, 64)[..., 0]
    image = Image.fromarray(gray)
    into = io.BytesIO()
    if kind == "gray16.png":
        Image.fromarray(gray.astype(np.uint16) * 257).save(into, "PNG")
    elif kind == "gray1.png":
        image.point(lambda v: 255 * (v > 128)).convert("1").save(into, "PNG")
    elif kind == "palette.png":
        image.convert("RGB").quantize(8).save(into, "PNG")
    elif kind == "rgb16.tiff":
        into.write(cv2.imencode(".tiff", corners(96, 64).astype(np.uint16) * 257)[1].tobytes())
    else:
        image.save(into, "TIFF" if kind == "gray.tiff" else "JPEG", progressive=True, quality=95)
    expected = [0, 0, 260, 260] if kind == "gray1.png" else UPRIGHT[1]
    assert quarters(decoded(into.getvalue())) == expected, kind


def test_what_follows_a_jpeg_in_its_file_is_left_alone() -> None:
    """Phones put a gain map (Ultra HDR) or a second view (MPO) behind the picture."""
    picture, other = encoded("jpeg", corners(96, 64), quality=95), encoded("jpeg", person(32, 32))
    np.testing.assert_array_equal(decoded(picture + other), decoded(picture))
    into = io.BytesIO()
    views = [Image.fromarray(corners(96, 64)), Image.fromarray(255 - corners(96, 64))]
    views[0].save(into, "MPO", save_all=True, append_images=views[1:], quality=95)
    assert quarters(decoded(into.getvalue())) == UPRIGHT[1]


@each_case("kind", ["png", "tiff"])
def test_transparency_does_not_darken_colours(kind: str) -> None:
    """Of a TIFF libtiff gives the picture on black."""
    alpha = np.tile(np.linspace(40, 255, 96).astype(np.uint8), (64, 1))
    found = decode_still(encoded(kind, np.dstack([corners(96, 64), alpha])))
    assert not isinstance(found, str)
    assert found.alpha is not None
    np.testing.assert_array_equal(found.alpha, alpha)
    np.testing.assert_allclose(found.pixels.astype(int), corners(96, 64).astype(int), atol=4)


@pytest.mark.usefixtures("left")
@each_case("kind", ["png", "webp", "tiff", "gif", "avif", "heic"])
def test_the_alpha_of_a_picture_is_kept_where_that_is_asked_for(kind: str, tmp_path: Path, segrun: Run) -> None:
    own = np.full((48, 64), 255, np.uint8)
    own[24:] = 0 if kind == "gif" else 120
    source = _saved(tmp_path / f"in.{kind}", encoded(kind, np.dstack([person(64, 48), own])))
    segrun(source, tmp_path / "kept.png", "transparent", keep_alpha=True, overwrite=True)
    kept = cv2.imread(str(tmp_path / "kept.png"), cv2.IMREAD_UNCHANGED)
    assert kept is not None
    assert abs(int(kept[40, 8, 3]) - int(own[40, 8])) <= 2, kind
    assert (kept[8, 8, 3], kept[40, 60, 3]) == (255, 0)
    statistics = segrun(source, tmp_path / "new.png", "transparent", overwrite=True)
    new = cv2.imread(str(tmp_path / "new.png"), cv2.IMREAD_UNCHANGED)
    assert new is not None
    assert new[40, 8, 3] == 255
    assert statistics.notes == ["the transparency that it has was left out; --keep-alpha keeps it"]


def test_pages_of_a_tiff_beyond_the_first_are_named() -> None:
    into = io.BytesIO()
    pages = [Image.fromarray(corners(96, 64)), Image.fromarray(person(96, 64))]
    pages[0].save(into, "TIFF", save_all=True, append_images=pages[1:])
    found = decode_still(into.getvalue())
    assert not isinstance(found, str)
    assert quarters(found.pixels) == UPRIGHT[1]
    assert found.notes == ("2 pages in one file, the first was taken",)


@each_case("kind", ["heic", "avif", "gif"])
def test_a_cut_file_is_refused_in_one_line_wherever_it_is_cut(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    data = encoded(kind, noise)
    for length in range(1, len(data) - len(data) // 20, max(1, len(data) // 60)):
        found = decode_picture(data[:length])
        assert isinstance(found, str), (kind, length)
        assert found.isprintable()
        assert len(found) < 200


@each_case("kind", ["heic", "avif"])
def test_a_size_that_is_only_claimed_is_refused_before_decoding(kind: str, tmp_path: Path) -> None:
    data = encoded(kind, corners(96, 64))
    claimed = data.replace(
        b"ispe" + bytes(4) + struct.pack(">II", 96, 64), b"ispe" + bytes(4) + struct.pack(">II", 65000, 65000)
    )
    assert claimed != data
    assert declared_size(claimed) == (65000, 65000)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "pillow_heif", None)
        patched.setitem(sys.modules, "PIL", None)
        assert decode_picture(claimed) == "declares 65000x65000 pixels, at most 268 million are read"


@each_case(
    "data",
    [
        b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b",",
        b"RIFF\x64\0\0\0WEBPVP8X\x0a\0\0\0\2\0\0\0" + b"\xff" * 6 + bytes(80),
        b"II*\0\x08\0\0\0\2\0" + struct.pack("<HHIIHHII", 256, 4, 1, 200000, 257, 4, 1, 200000) + bytes(4),
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, 60000, -60000, 1, 24, *(0,) * 6),
    ],
)
def test_bombs_of_every_kind_are_refused_by_their_headers(data: bytes) -> None:
    found = decode_picture(data)
    assert isinstance(found, str)
    assert found.endswith("pixels, at most 268 million are read")


@pytest.mark.usefixtures("everywhere")
@each_case(
    ("kind", "module", "packages"),
    [("heic", "pillow_heif", "pillow-heif"), ("avif", "PIL", "Pillow"), ("gif", "PIL", "Pillow")],
)
def test_a_library_that_is_missing_is_named(kind: str, module: str, packages: str, tmp_path: Path, segrun: Run) -> None:
    said = rf"needs {packages}, which is not installed: pip install .*pi(llow|ctures)"
    _saved(tmp_path / kind / f"a.{kind}", encoded(kind, corners(96, 64)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, module, None)
        with pytest.raises(MissingExtraError, match=said):
            segrun(tmp_path / kind / f"a.{kind}", tmp_path / "out.png")
        (error,) = segrun(tmp_path / kind, tmp_path / f"out_{kind}").errors
        assert re.search(rf"a\.{kind}: .*{said}", error)
    assert not (tmp_path / "out.png").exists()


@pytest.mark.usefixtures("left")
def test_plain_pictures_and_videos_need_no_extra(tmp_path: Path, segrun: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("jpeg", "png", "webp", "tiff", "bmp"):
        _saved(tmp_path / "in" / f"a_{kind}.{kind}", encoded(kind, person(64, 48)))
    clip = make(tmp_path / "in.mp4", frames=3)
    for module in ("PIL", "pillow_heif"):
        monkeypatch.setitem(sys.modules, module, None)
    assert segrun(tmp_path / "in", tmp_path / "out").errors == []
    for name in ("out.webp", "out.apng"):
        segrun(clip, tmp_path / name, "transparent")
        assert frames_in(tmp_path / name) == 3


@pytest.mark.parametrize(("name", "what"), [("a.jxl", "JPEG XL"), ("b.CR2", "a raw photograph"), ("c.ico", "an icon")])
def test_kinds_that_are_not_read_are_called_by_their_names(
    name: str, what: str, tmp_path: Path, refuses: Refuses
) -> None:
    source = _saved(tmp_path / name, b"something")
    refuses(PictureError, rf"{name}: is {what}, which is not read, expected .*; save it", source, tmp_path / "o.png")


@pytest.mark.usefixtures("everywhere")
def test_a_picture_is_known_by_what_is_in_it_not_by_its_name(tmp_path: Path, segrun: Run) -> None:
    """Phones and web pages hand out HEIC as .jpg, WebP as .png."""
    for name, kind in (("a.jpg", "heic"), ("b.png", "webp"), ("c.png", "avif"), ("d.jpg", "gif")):
        segrun(_saved(tmp_path / name, encoded(kind, corners(96, 64))), tmp_path / f"out_{name}")
        assert quarters(read_picture(tmp_path / f"out_{name}")) == UPRIGHT[1]


def test_libraries_say_nothing_of_their_own_about_a_broken_picture(capfd: pytest.CaptureFixture[str]) -> None:
    whole = encoded("tiff", person(64, 48))
    for broken in (
        whole[: len(whole) // 2],
        b"II*\0\x08\0\0\0",
        b"BM" + bytes(60),
        encoded("webp", person(64, 48))[:70],
    ):
        assert isinstance(decode_picture(broken), str)
    logged = [line for text in capfd.readouterr() for line in text.splitlines() if line.startswith("[")]
    assert logged == []  # OpenCV 4 prints some of them past its log


@pytest.mark.usefixtures("everywhere")
def test_a_web_page_that_is_called_a_picture_is_none(tmp_path: Path, refuses: Refuses) -> None:
    source = _saved(tmp_path / "a.jpg", b"<!doctype html><title>Not found</title>")
    assert kind_of(source) == "picture"
    refuses(PictureError, rf"a\.jpg: {messages.CANNOT_BE_DECODED}, expected a picture", source, tmp_path / "o.png")


def _saved(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
