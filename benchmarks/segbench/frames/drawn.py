"""The frame that is measured: a picture from a file, or a drawn one that is the same on every machine."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from segbench.errors import PictureError
from segbench.process.job import LARGEST_SIDE, SMALLEST_SIDE
from segruntime.compositing.composite import cover
from segruntime.picture_files import decode_picture

Frame = npt.NDArray[np.uint8]
DEFAULT_SIZE = 1280, 720
_LARGEST_FILE_BYTES = 256 * 1024 * 1024


def read_frame(path: Path, size: tuple[int, int] | None = None) -> Frame:
    """A picture → `(H, W, 3) uint8, BGR`; scaled to cover `size = (width, height)` where one is given.

    Raises:
        PictureError: missing, unreadable, or of a size that no frame has.
    """
    try:
        size_bytes = path.stat().st_size
        data = path.read_bytes() if 0 < size_bytes <= _LARGEST_FILE_BYTES else b""
    except OSError as error:
        raise PictureError(f"{path}: cannot be read ({error.strerror}), expected a picture; check the path") from error
    if not data:
        raise PictureError(f"{path}: has {size_bytes} bytes, expected a picture of at most {_LARGEST_FILE_BYTES} bytes")
    frame = decode_picture(data)
    if isinstance(frame, str):
        raise PictureError(f"{path}: {frame}, expected a JPEG, PNG or another picture that OpenCV reads")
    height, width = frame.shape[:2]
    if not all(SMALLEST_SIDE <= side <= LARGEST_SIDE for side in (height, width)):
        raise PictureError(
            f"{path}: is {width}x{height}, expected sides from {SMALLEST_SIDE} to {LARGEST_SIDE}; scale it first"
        )
    return frame if size is None else cover(frame, size[1], size[0])


def drawn_frame(width: int, height: int, seed: int = 7) -> Frame:
    """Head and shoulders before a soft background, `(H, W, 3) uint8, BGR`; the same for the same size and seed."""
    rng = np.random.default_rng(seed)
    image = drawn_background(width, height, seed + 1)
    side = min(width, height)
    x, y, head = int(width * rng.uniform(0.45, 0.55)), int(height * 0.42), side * rng.uniform(0.13, 0.16)
    skin, hair, cloth = (110, 150, 210), (40, 35, 30), tuple(float(v) for v in rng.uniform(30, 120, 3))
    shoulders = int(y + 1.9 * head)
    cv2.ellipse(image, (x, height), (int(2.4 * head), height - shoulders), 0, 0, 360, cloth, -1)
    cv2.rectangle(image, (int(x - head / 2), y), (int(x + head / 2), int(shoulders + head / 3)), skin, -1)
    cv2.ellipse(image, (x, int(y - 0.2 * head)), (int(1.05 * head), int(1.3 * head)), 0, 180, 360, hair, -1)
    cv2.ellipse(image, (x, y), (int(0.85 * head), int(1.15 * head)), 0, 0, 360, skin, -1)
    for eye in (-0.35, 0.35):
        cv2.circle(image, (int(x + eye * head), int(y - 0.1 * head)), max(1, int(0.09 * head)), hair, -1)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), max(0.5, side / 500)), np.uint8)


def drawn_background(width: int, height: int, seed: int = 8) -> Frame:
    """A soft gradient of four colours, `(H, W, 3) uint8, BGR`."""
    corners = np.random.default_rng(seed).uniform(120, 235, (2, 2, 3)).astype(np.float32)
    image = cv2.resize(corners, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(image, 0, 255), np.uint8)
