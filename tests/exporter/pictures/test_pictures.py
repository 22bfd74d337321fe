"""Picture files of every kind that people have: turned, gray, transparent, cut, absurd."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests import messages

from segexport.errors import CalibrationError
from segexport.pictures.files import PictureFile, draw_pictures, list_pictures, read_picture
from segruntime.picture_files import SUFFIXES

Pixels = npt.NDArray[np.uint8]


def half_black(height: int = 32, width: int = 64) -> Pixels:
    """The left half black, the right half white."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, width // 2 :] = 255
    return picture


def encoded(suffix: str, picture: npt.NDArray[np.generic], *options: int) -> bytes:
    return bytes(cv2.imencode(suffix, picture, list(options))[1])


def by_pillow(suffix: str, gray: Pixels) -> bytes:
    image = pytest.importorskip("PIL.Image").fromarray(gray)
    into = io.BytesIO()
    if suffix in (".gif", ".avif"):
        image.save(into, suffix[1:])
    else:
        pytest.importorskip("pillow_heif").from_pillow(image).save(into, quality=90)
    return into.getvalue()


def with_exif(jpeg: bytes, orientation: int) -> bytes:
    """An APP1 segment with one TIFF entry: tag 0x0112, SHORT, one value."""
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_that_declares(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(100_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg_that_declares(width: int, height: int) -> bytes:
    jpeg = encoded(".jpg", half_black())
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


def read(folder: Path, name: str, data: bytes) -> PictureFile | str:
    (folder / name).write_bytes(data)
    return read_picture(folder / name)


def pixels(folder: Path, name: str, data: bytes) -> Pixels:
    found = read(folder, name, data)
    assert isinstance(found, PictureFile), found
    assert (found.path, found.sha256) == (folder / name, hashlib.sha256(data).hexdigest())
    assert found.pixels.dtype == np.uint8
    assert found.pixels.ndim == 3
    assert found.pixels.shape[2] == 3
    return found.pixels


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_listed_suffix_can_be_read(tmp_path: Path, suffix: str) -> None:
    same = {".apng": ".png", ".jfif": ".jpg", ".jpe": ".jpg"}.get(suffix, suffix)
    is_newer = suffix in (".gif", ".avif", ".heic", ".heif", ".hif")
    data = by_pillow(same, half_black()) if is_newer else encoded(same, half_black())
    got = pixels(tmp_path, f"a{suffix}", data)
    assert got[:, :28].max() < 20
    assert got[:, 36:].min() > 235


@pytest.mark.parametrize(
    ("orientation", "black"),
    [
        (1, np.s_[:, :28]),
        (3, np.s_[:, 36:]),  # turned by 180 degrees: black is right
        (6, np.s_[:28, :]),  # to be turned clockwise: what was left is on top
        (8, np.s_[36:, :]),  # to be turned counter-clockwise: what was left is at the bottom
    ],
)
def test_exif_turns_the_picture(tmp_path: Path, orientation: int, black: tuple[slice, slice]) -> None:
    got = pixels(tmp_path, "a.jpg", with_exif(encoded(".jpg", half_black()), orientation))
    assert got.shape == ((64, 32, 3) if orientation in (6, 8) else (32, 64, 3))
    assert got[black].max() < 20
    assert abs(float(got.mean()) - 127.5) < 3


def test_gray_becomes_three_equal_channels(tmp_path: Path) -> None:
    got = pixels(tmp_path, "a.png", encoded(".png", half_black()[:, :, 0]))
    np.testing.assert_array_equal(got, half_black())


def test_alpha_is_dropped_and_colours_stay(tmp_path: Path) -> None:
    bgra = np.zeros((4, 4, 4), np.uint8)
    bgra[...] = (10, 20, 30, 0)
    np.testing.assert_array_equal(pixels(tmp_path, "a.png", encoded(".png", bgra)), bgra[:, :, :3])


def test_16_bits_become_8(tmp_path: Path) -> None:
    deep = np.zeros((2, 3, 3), np.uint16)
    deep[:, 1], deep[:, 2] = 100 * 257, 65535
    np.testing.assert_array_equal(pixels(tmp_path, "a.png", encoded(".png", deep))[0, :, 0], [0, 100, 255])


def test_a_progressive_jpeg_is_read(tmp_path: Path) -> None:
    data = encoded(".jpg", half_black(), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert b"\xff\xc2" in data
    assert pixels(tmp_path, "a.jpg", data).shape == (32, 64, 3)


def test_bytes_after_the_end_of_a_jpeg_are_no_harm(tmp_path: Path) -> None:
    assert pixels(tmp_path, "a.jpg", encoded(".jpg", half_black()) + b"appended by a phone").shape == (32, 64, 3)


def test_fill_bytes_before_a_jpeg_marker_are_no_harm(tmp_path: Path) -> None:
    data = encoded(".jpg", half_black())
    assert pixels(tmp_path, "a.jpg", data[:2] + b"\xff\xff\xff" + data[2:]).shape == (32, 64, 3)


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_cut_jpeg_is_no_picture(tmp_path: Path, share: float, progressive: int) -> None:
    drawn = draw_pictures(1, size=96)[0]
    data = encoded(".jpg", drawn, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    assert read(tmp_path, "a.jpg", data[: int(len(data) * share)]) == "JPEG cut off"


def test_a_cut_jpeg_with_a_whole_thumbnail_inside_is_no_picture(tmp_path: Path) -> None:
    body = b"Exif\0\0" + encoded(".jpg", half_black(8, 8))  # its own end marker lies in the segment
    whole = encoded(".jpg", draw_pictures(1, size=96)[0])
    data = whole[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + whole[2 : len(whole) // 2]
    assert read(tmp_path, "a.jpg", data) == "JPEG cut off"


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".tif"])
def test_half_a_file_is_no_picture(tmp_path: Path, suffix: str) -> None:
    data = encoded(suffix, draw_pictures(1, size=96)[0])
    why = "PNG cut off" if suffix == ".png" else messages.CANNOT_BE_DECODED
    assert read(tmp_path, f"a{suffix}", data[: len(data) // 2]) == why


def test_a_chunk_of_a_png_that_claims_gigabytes_gets_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV 5.0 takes as much memory as a chunk says that it is long, and fills it with zeros."""
    data = encoded(".png", half_black())
    at = data.index(b"IDAT") - 4
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    assert read(tmp_path, "a.png", data[:at] + b"\xff\xff\xff\xf0" + data[at + 4 :]) == "PNG cut off"


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.jpg", b"", "empty file"),
        ("a.jpg", b"no picture at all", messages.CANNOT_BE_DECODED),
        ("a.jpg", b"\xff\xd8\xff", "JPEG cut off"),
        ("a.jpg", b"\xff\xd8\xff\xe0\0\0\xff\xe0\0\0", "JPEG cut off"),  # a length of nothing
        ("a.png", b"\x89PNG\r\n\x1a\n", messages.CANNOT_BE_DECODED),
    ],
)
def test_what_is_no_picture_is_said_in_a_few_words(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    assert read(tmp_path, name, data) == why


@pytest.mark.parametrize("side", [30_000, 60_000, 65_500])
@pytest.mark.parametrize("make", [png_that_declares, jpeg_that_declares])
def test_a_small_file_that_declares_a_huge_picture_is_refused_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: object, side: int
) -> None:
    data = make(side, side)  # type: ignore[operator]
    assert len(data) < 10_000
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    assert read(tmp_path, "bomb", data) == f"declares {side}x{side} pixels, at most 268 million are read"


def test_a_file_that_vanished_is_said(tmp_path: Path) -> None:
    assert read_picture(tmp_path / "gone.png") == "No such file or directory"


def test_pictures_are_listed_by_name_with_subfolders_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt", "sub/c.tiff", "dir.png/d.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [str(path.relative_to(tmp_path)) for path in list_pictures(tmp_path)] == [
        "a.png",
        "b.JPG",
        "dir.png/d.webp",
        "sub/c.tiff",
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, f"{messages.NOTHING_THERE} a folder of pictures"),
        (lambda path: path.write_bytes(b""), r"found a file, expected a folder of pictures; give the folder itself"),
        (
            lambda path: path.mkdir(),
            rf"{messages.NO_PICTURE_IN_IT} \(0 other files\), expected \.apng, .*give a folder with 32",
        ),
    ],
)
def test_a_folder_without_pictures_is_refused(tmp_path: Path, make: object, message: str) -> None:
    make(tmp_path / "there")  # type: ignore[operator]
    with pytest.raises(CalibrationError, match=message):
        list_pictures(tmp_path / "there")


def test_a_folder_of_texts_counts_them(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.md").write_text("b")
    with pytest.raises(CalibrationError, match=rf"{messages.NO_PICTURE_IN_IT} \(2 other files\)"):
        list_pictures(tmp_path)


def test_drawn_pictures_are_the_same_every_time_and_differ_from_one_another() -> None:
    first, second = draw_pictures(8), draw_pictures(8)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a.shape, a.dtype) == ((384, 384, 3), np.uint8)
        assert a.std() > 10
    assert len({picture.tobytes() for picture in first}) == 8
