"""Pictures from a folder, and pictures that segexport draws itself where it is given none."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from segexport.errors import CalibrationError

Picture = npt.NDArray[np.uint8]
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_LARGEST_FILE = 256 * 1024 * 1024
_MOST_PIXELS = 2**28  # phone cameras give up to 200 million; decoded, each takes 3 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFile:
    """A picture that could be read: `pixels (H, W, 3) uint8, BGR`, turned as its EXIF says, alpha dropped."""

    path: Path
    sha256: str
    pixels: Picture


def list_pictures(folder: Path) -> list[Path]:
    """The folder's picture files in the order of their names, subfolders included.

    Raises:
        CalibrationError: no such folder, or no picture file in it.
    """
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing there"
        raise CalibrationError(f"{folder}: found {found}, expected a folder of pictures; give the folder itself")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not paths:
        others = sum(1 for p in folder.rglob("*") if p.is_file())
        raise CalibrationError(
            f"{folder}: no picture in it ({others} other files), expected {', '.join(sorted(SUFFIXES))}; "
            "give a folder with 32 or more pictures of people as the camera will see them"
        )
    return paths


def read_picture(path: Path) -> PictureFile | str:
    """The picture, or in a few words why it cannot be read."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            return "larger than 256 MB"
        data = path.read_bytes()
    except OSError as error:
        return str(error.strerror or error)
    if not data:
        return "empty file"
    width, height = _declared_size(data)
    if width * height > _MOST_PIXELS:
        return f"declares {width}x{height} pixels, at most {_MOST_PIXELS // 10**6} million are read"
    if data[:3] == _JPEG and not _jpeg_is_whole(data):
        return "JPEG cut off"
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return "cannot be decoded"
    if pixels is None:
        return "cannot be decoded"
    return PictureFile(path=path, sha256=hashlib.sha256(data).hexdigest(), pixels=np.asarray(pixels, np.uint8))


def _declared_size(data: bytes) -> tuple[int, int]:
    """Width and height as the header of a PNG or JPEG says; (0, 0) for other kinds and broken headers."""
    if data[:8] == _PNG and len(data) >= 24:
        width, height = struct.unpack_from(">II", data, 16)
        return width, height
    for marker, at, _ in _jpeg_segments(data):
        if marker in _START_OF_FRAME and at + 9 <= len(data):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
    return 0, 0


def _jpeg_is_whole(data: bytes) -> bool:
    """Whether an end marker follows the picture's own data; decoders fill a cut one with gray and say nothing."""
    # from the start of the first scan on, a 0xFFD9 can only be the end
    return any(marker == 0xDA and data.find(b"\xff\xd9", end) >= 0 for marker, _, end in _jpeg_segments(data))


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment of a JPEG up to its first scan; nothing for other kinds."""
    at = 2 if data[:3] == _JPEG else len(data)
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xFF:  # any number of fill bytes may stand before a marker
            at += 1
            continue
        yield marker, at, at + 2 + length
        if marker == 0xDA:
            return
        at += 2 + length


def draw_pictures(count: int, *, size: int = 384, seed: int = 7) -> list[Picture]:
    """People as simple shapes before simple backgrounds, `(size, size, 3) uint8, BGR`: smooth areas, edges, skin and cloth.

    They exercise a network far better than noise; they are no photographs, and a report says that they were used.
    """
    rng = np.random.default_rng(seed)
    return [_draw(rng, size) for _ in range(count)]


def _draw(rng: np.random.Generator, size: int) -> Picture:
    corners = rng.uniform(20, 235, (2, 2, 3)).astype(np.float32)
    image = cv2.resize(corners, (size, size), interpolation=cv2.INTER_CUBIC)
    for _ in range(int(rng.integers(3, 9))):
        x, y, w, h = (int(v) for v in rng.uniform(0, size, 4))
        cv2.rectangle(image, (x, y), (x + w // 2, y + h // 2), _colour(rng), -1)
    image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(1, 8)))
    centre, top = size * rng.uniform(0.35, 0.65), size * rng.uniform(0.2, 0.4)
    head = size * rng.uniform(0.09, 0.16)
    cloth, skin = _colour(rng), tuple(float(v) for v in np.array([110, 150, 210]) * rng.uniform(0.35, 1.15))
    shoulders = int(top + 2.1 * head)
    cv2.ellipse(image, (int(centre), size), (int(2.3 * head), size - shoulders), 0, 0, 360, cloth, -1)
    cv2.rectangle(image, (int(centre - head / 2), int(top)), (int(centre + head / 2), shoulders + 9), skin, -1)
    cv2.ellipse(
        image, (int(centre), int(top - head * 0.2)), (int(head * 1.05), int(head * 1.3)), 0, 180, 360, (40, 35, 30), -1
    )
    cv2.ellipse(image, (int(centre), int(top)), (int(head * 0.85), int(head * 1.15)), 0, 0, 360, skin, -1)
    image = cv2.GaussianBlur(image, (0, 0), 0.8) + rng.normal(0, 5, image.shape)
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def _colour(rng: np.random.Generator) -> tuple[float, float, float]:
    b, g, r = (float(v) for v in rng.uniform(15, 240, 3))
    return b, g, r
