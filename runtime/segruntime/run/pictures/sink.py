"""Finished frames as picture files: one, a folder of them, or a numbered sequence of a video."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np

from segruntime.atomic_file import check_target, write_whole
from segruntime.errors import OutputError
from segruntime.preprocess import Frame
from segruntime.run.planes import planes_to_bgr
from segruntime.run.stages import Canvas, Mode
from segruntime.run.stations import Finished

WITH_ALPHA = (".png", ".webp", ".tif", ".tiff")
_QUALITY = {
    ".jpg": (cv2.IMWRITE_JPEG_QUALITY, 95),
    ".jpeg": (cv2.IMWRITE_JPEG_QUALITY, 95),
    ".png": (cv2.IMWRITE_PNG_COMPRESSION, 3),
}
Place = Callable[[Finished], Path]


class PictureSink:
    """Writes each frame to the file that `place` names; folders are made where they are missing."""

    canvas: Canvas | None = None

    def __init__(self, place: Place, mode: Mode, *, overwrite: bool) -> None:
        self.notes: list[str] = []
        self._place, self._mode, self._overwrite = place, mode, overwrite

    def write(self, finished: Finished) -> None:
        """Raises OutputError: the file is there already, or cannot be written."""
        path = self._place(finished)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{path.parent}: cannot be made ({error.strerror}); choose another folder") from error
        check_target(path, overwrite=self._overwrite)
        write_picture(path, picture(finished, self._mode))

    def finish(self, _trailing_packets: Iterable[Any] = ()) -> None:
        """Every file is whole already."""

    def abandon(self) -> None:
        """The pictures that are there are whole, they stay."""


def numbered(pattern: str) -> Place:
    """Places for the frames of a video: `pattern` with `%d` or `%05d`, counted from 1."""
    count = iter(range(1, 1 << 62))
    return lambda _: Path(pattern % next(count))


def below(folder: Path, mode: Mode) -> Place:
    """Places for the pictures of a folder: the same path below `folder`, as .png where alpha is kept or is the picture.

    `a.png` next to `a.jpg` becomes `a.png.png` then: neither result replaces the other.
    """
    taken: set[Path] = set()

    def place(finished: Finished) -> Path:
        path = folder / PurePosixPath(finished.frame.name)
        if mode == "replaced":
            return path
        png = path.with_suffix(".png")
        png = path.with_name(f"{path.name}.png") if png in taken else png
        taken.add(png)
        return png

    return place


def picture(finished: Finished, mode: Mode) -> Frame:
    """`(H, W, 3) uint8, BGR`, `(H, W, 4) uint8, BGRA` with straight alpha, or `(H, W) uint8`, the alpha alone."""
    if mode == "alpha" and finished.alpha is not None:
        return finished.alpha
    frame = finished.frame
    bgr = np.asarray(finished.pixels[0], np.uint8)
    if not frame.is_still:
        bgr = planes_to_bgr(finished.pixels, frame.tags, frame.size)
    if mode == "transparent" and finished.alpha is not None:
        return np.asarray(cv2.merge([*cv2.split(bgr), finished.alpha]), np.uint8)
    return bgr


def write_picture(path: Path, image: Frame) -> None:
    """Encode by the file's ending, and put it in its place whole.

    Raises:
        OutputError: no such kind of picture, or the disk is full.
    """
    suffix = path.suffix.lower()
    try:
        ok, data = cv2.imencode(suffix, image, _QUALITY.get(suffix, ()))
    except cv2.error as error:
        raise OutputError(f"{path}: OpenCV cannot write {suffix} ({' '.join(str(error).split())[:120]})") from error
    if not ok:
        raise OutputError(f"{path}: OpenCV cannot write this picture as {suffix}; choose .png")
    try:
        write_whole(path, data.tobytes())
    except OSError as error:
        raise OutputError(
            f"{path}: writing failed ({error.strerror}); free some space, or choose another place"
        ) from error
