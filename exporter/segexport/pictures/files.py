"""Pictures from a folder, and pictures that segexport draws itself where it is given none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from segexport.errors import CalibrationError
from segruntime.errors import MissingExtraError
from segruntime.picture_files import SUFFIXES, decode_picture, picture_bytes, picture_paths

Picture = npt.NDArray[np.uint8]
_HAIR = (40.0, 35.0, 30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFile:
    """A picture that could be read: `pixels (H, W, 3) uint8, BGR`, turned as its EXIF says, in sRGB, alpha dropped."""

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
    paths = picture_paths(folder)
    if not paths:
        others = sum(1 for p in folder.rglob("*") if p.is_file())
        raise CalibrationError(
            f"{folder}: no picture in it ({others} other files), expected {', '.join(sorted(SUFFIXES))}; "
            "give a folder with 32 or more pictures of people as the camera will see them"
        )
    return paths


def read_picture(path: Path) -> PictureFile | str:
    """The picture, or in a few words why it cannot be read."""
    data = picture_bytes(path)
    if isinstance(data, str):
        return data
    try:
        pixels = decode_picture(data)
    except MissingExtraError as error:
        return str(error)
    if isinstance(pixels, str):
        return pixels
    return PictureFile(path=path, sha256=hashlib.sha256(data).hexdigest(), pixels=pixels)


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
    cloth, skin = _colour(rng), np.array([110, 150, 210]) * rng.uniform(0.35, 1.15)
    figure, shoulders = image.copy(), int(top + 2.1 * head)
    cv2.ellipse(figure, (int(centre), size), (int(2.3 * head), size - shoulders), 0, 0, 360, cloth, -1)
    neck = (int(centre - head / 2), int(top)), (int(centre + head / 2), shoulders + 9)
    cv2.rectangle(figure, *neck, _shade(skin, 0.85), -1)
    _draw_head(figure, centre, top, head, skin)
    is_person = (figure != image).any(axis=2, keepdims=True)
    image = np.where(is_person, figure * _light(size, centre, head, shoulders), image).astype(np.float32)
    image = cv2.GaussianBlur(image, (0, 0), 0.8) + rng.normal(0, 5, image.shape)
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def _draw_head(image: npt.NDArray[np.float32], x: float, y: float, head: float, skin: npt.NDArray[np.float64]) -> None:
    """A face with hair: without eyes and mouth a network that knows people sees nobody."""

    def ellipse(dx: float, dy: float, wide: float, high: float, colour: tuple[float, ...], begin: int = 0) -> None:
        centre, axes = (int(x + dx * head), int(y + dy * head)), (max(1, int(wide * head)), max(1, int(high * head)))
        cv2.ellipse(image, centre, axes, 0, begin, 360, colour, -1)

    ellipse(0, -0.2, 1.05, 1.3, _HAIR, 180)
    ellipse(0, 0, 0.85, 1.15, _shade(skin, 1))
    for side in (-0.35, 0.35):
        ellipse(side, -0.1, 0.16, 0.08, (235, 235, 235))
        ellipse(side, -0.1, 0.08, 0.08, (50, 40, 40))
        ellipse(side, -0.3, 0.2, 0.05, _HAIR, 180)
    ellipse(0, 0.55, 0.3, 0.08, (90, 80, 170))
    ellipse(0, 0.2, 0.09, 0.22, _shade(skin, 0.88))
    ellipse(0, -0.75, 0.9, 0.5, _HAIR, 180)


def _light(size: int, centre: float, head: float, shoulders: int) -> npt.NDArray[np.float64]:
    """From the left, and folds of cloth: `(size, size, 1)` factors."""
    y, x = np.indices((size, size))
    light = np.clip(1 + 0.25 * (centre - x) / (2.3 * head), 0.65, 1.3)
    folds = 1 + 0.1 * np.sin(x / (0.25 * head) + 3 * np.sin(y / (0.6 * head)))
    return np.asarray(light * np.where(y > shoulders, folds, 1))[..., None]


def _shade(colour: npt.NDArray[np.float64], factor: float) -> tuple[float, ...]:
    return tuple(float(value) for value in colour * factor)


def _colour(rng: np.random.Generator) -> tuple[float, float, float]:
    b, g, r = (float(v) for v in rng.uniform(15, 240, 3))
    return b, g, r
