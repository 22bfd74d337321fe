"""A picture's colours become sRGB: by its ICC profile as Little CMS has them, by its code points as H.273 has them."""

from __future__ import annotations

import io
import random
import struct
import sys
import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests.each_case import each_case
from tests.profiles import (
    ADOBE_RGB,
    DISPLAY_P3,
    PROPHOTO,
    SRGB,
    SRGB_CURVE,
    Matrix,
    cmyk_profile,
    gamma_curve,
    gray_profile,
    rgb_profile,
    table_curve,
)

from segruntime.picture_files.decode import decode_still

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
ImageCms = pytest.importorskip("PIL.ImageCms")

Bytes = npt.NDArray[np.uint8]
P3 = rgb_profile(DISPLAY_P3, SRGB_CURVE)
INK = cmyk_profile({(0, 0, 0, 0): (255, 128, 128), (1, 0, 0, 0): (140, 91, 78)}, else_=(0, 128, 128))


def colours() -> Bytes:
    """`(64, 64, 3) uint8, RGB`: ramps of every channel, and everything between."""
    steps = np.linspace(0, 255, 64).astype(np.uint8)
    r, g = np.meshgrid(steps, steps)
    return np.stack([r, g, np.roll(r, 21, axis=1)], axis=-1)


def saved(kind: str, picture: Any = None, **how: Any) -> bytes:
    into = io.BytesIO()
    image = Image.fromarray(colours()) if picture is None else picture
    if kind == "heic":
        pytest.importorskip("pillow_heif", reason="pillow-heif is not installed").from_pillow(image).save(into, **how)
    else:
        image.save(into, kind, **how)
    return into.getvalue()


def read(data: bytes) -> Bytes:
    """`(H, W, 3) uint8, RGB`, of a picture of which everything was kept."""
    found = decode_still(data)
    assert not isinstance(found, str), found
    assert found.notes == ()
    return found.pixels[..., ::-1]


def by_little_cms(rgb: Bytes, profile: bytes) -> Bytes:
    own, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(Image.fromarray(rgb), own, srgb, outputMode="RGB"))


@each_case("kind", ["png", "webp", "tiff", "jpeg", "avif", "heic"])
def test_every_kind_of_file_brings_its_profile(kind: str) -> None:
    how = {"webp": {"lossless": True}, "avif": {"quality": 95}, "heic": {"quality": 95}}.get(kind, {})
    plain = read(saved(kind, **how))
    found = read(saved(kind, icc_profile=P3, **how))
    np.testing.assert_allclose(found.astype(int), by_little_cms(plain, P3).astype(int), atol=1)
    assert abs(found.astype(int) - plain).max() > 20


@each_case("matrix", [DISPLAY_P3, ADOBE_RGB, PROPHOTO, SRGB])
@each_case(
    "curve",
    [
        SRGB_CURVE,
        gamma_curve(1.8),
        gamma_curve(2.19921875),
        table_curve([(k / 1023) ** 2.2 for k in range(1024)]),
        b"para\0\0\0\0\0\0\0\0" + struct.pack(">i", 2 << 16),
    ],
)
def test_a_profile_of_matrix_and_curves_gives_what_little_cms_gives(matrix: Matrix, curve: bytes) -> None:
    profile = rgb_profile(matrix, curve)
    found = read(saved("png", icc_profile=profile)).astype(int)
    expected = by_little_cms(colours(), profile).astype(int)
    assert abs(found - expected).max() <= 2  # where a curve of many tables is steep, Little CMS rounds in between
    assert abs(found - expected).mean() < 0.2


@each_case("kind", ["png", "jpeg", "webp"])
def test_a_profile_of_srgb_changes_no_byte(kind: str) -> None:
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (own, rgb_profile(SRGB, SRGB_CURVE)):
        np.testing.assert_array_equal(read(saved(kind, icc_profile=profile)), read(saved(kind)))


def test_a_gray_profile_is_a_curve() -> None:
    gray = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    found = read(saved("png", Image.fromarray(gray), icc_profile=gray_profile(gamma_curve(1.0))))
    light = gray / 255
    expected = 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(found, np.repeat(expected[..., None], 3, 2), atol=1)


def test_inks_are_shown_as_their_profile_has_them() -> None:
    """White paper, and a cyan of L 55, a -37, b -50: in sRGB 0, 147, 217 within what 8 bits of L, a and b leave."""
    inks = np.zeros((32, 64, 4), np.uint8)
    inks[:, 32:, 0] = 255
    found = read(saved("jpeg", _cmyk(inks), icc_profile=INK, quality=100))
    np.testing.assert_allclose(found[4:28, 4:28].mean((0, 1)), 255, atol=2)
    np.testing.assert_allclose(found[4:28, 36:60].mean((0, 1)), [0, 147, 217], atol=12)


def _cmyk(inks: Bytes) -> Any:
    return Image.frombytes("CMYK", (inks.shape[1], inks.shape[0]), inks.tobytes())


def test_what_needs_a_library_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved("jpeg", _cmyk(np.zeros((8, 8, 4), np.uint8)), icc_profile=INK)
    monkeypatch.setitem(sys.modules, "PIL", None)
    found = decode_still(data)
    assert not isinstance(found, str)
    (note,) = found.notes
    assert "CMYK profile was not applied: " in note
    assert "pip install" in note
    assert found.pixels.min() > 250  # no ink on white paper, by the plain rule


def test_phones_pictures_need_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    data, expected = saved("jpeg", icc_profile=P3), read(saved("jpeg", icc_profile=P3))
    monkeypatch.setitem(sys.modules, "PIL", None)
    np.testing.assert_array_equal(read(data), expected)


def test_a_broken_profile_is_said_and_breaks_nothing() -> None:
    plain, luck = read(saved("png")), random.Random(5)  # noqa: S311
    for _ in range(300):
        broken = bytearray(P3)
        for _ in range(luck.choice([1, 4, 40])):
            broken[luck.randrange(len(broken))] = luck.choice([0, 255, luck.randrange(256)])
        found = decode_still(saved("png", icc_profile=bytes(broken[: luck.randrange(1, len(broken))])))
        assert not isinstance(found, str)
        if found.notes:
            np.testing.assert_array_equal(found.pixels[..., ::-1], plain)


@pytest.mark.parametrize("kind", ["png", "avif", "heic"])
def test_code_points_of_display_p3_are_followed(kind: str) -> None:
    """Linear light through the primaries of SMPTE EG 432-1, in floats."""
    how = {"avif": {"quality": 95}, "heic": {"quality": 95}}.get(kind, {})
    data = saved(kind, **how)
    if kind == "png":
        at = data.index(b"IDAT") - 4
        tagged = data[:at] + _chunk(b"cICP", bytes([12, 13, 0, 1])) + data[at:]
    else:
        if data.count(b"nclx\0\1\0\r") != 1:
            pytest.skip("an older pillow-heif writes no code points")
        tagged = data.replace(b"nclx\0\1\0\r", b"nclx\0\x0c\0\r")
    values = read(data) / 255
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    to_srgb = [[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]]  # CSS Color 4, rounded
    light = np.clip(light @ np.array(to_srgb).T, 0, 1)
    expected = 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(read(tagged), expected, atol=2)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_that_is_not_tone_mapped_is_said(transfer: int, name: str) -> None:
    data = saved("avif").replace(b"nclx\0\1\0\r", b"nclx\0\x09\0" + bytes([transfer]))
    found = decode_still(data)
    assert not isinstance(found, str)
    assert found.notes == (f"its HDR ({name}) is not tone-mapped: the colours are pale",)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def test_a_profile_that_unpacks_to_gigabytes_does_not() -> None:
    data = bytes(cv2.imencode(".png", np.zeros((2, 2, 3), np.uint8))[1])
    at = data.index(b"IDAT") - 4
    bomb = zlib.compress(bytes(64 << 20), 9)
    found = decode_still(data[:at] + _chunk(b"iCCP", b"x\0\0" + bomb) + data[at:])
    assert not isinstance(found, str)
