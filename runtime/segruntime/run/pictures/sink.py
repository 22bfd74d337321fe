"""Finished frames as picture files: one, still or animated, or a numbered sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segruntime.atomic_file import check_target, write_whole
from segruntime.errors import OutputError
from segruntime.picture_files.encode import encode_picture
from segruntime.preprocess import Frame
from segruntime.run.pictures.animated.file import GIF_ALPHA, AnimationFile
from segruntime.run.pictures.names import picture_result
from segruntime.run.planes import planes_to_bgr
from segruntime.run.stages import Canvas, Mode
from segruntime.run.stations import Finished

Place = Callable[[Finished], Path]


class PictureSink:
    """Writes each picture to the file that `place` names; folders are made where they are missing.

    The frames of an animation become one file, unless `apart` says that each is a picture of its own.
    """

    canvas: Canvas | None = None

    def __init__(self, place: Place, mode: Mode, *, overwrite: bool, apart: bool = False) -> None:
        self.notes: list[str] = []
        self._place, self._mode, self._overwrite, self._apart = place, mode, overwrite, apart
        self._animation: AnimationFile | None = None
        self._end_s = Fraction(0)

    def write(self, finished: Finished) -> None:
        """Raises OutputError: the file is there already, or cannot be written."""
        place = finished.frame.animation
        if place is None or self._apart:
            self._close_animation()
            write_picture(self._ready(finished), picture(finished, self._mode))
            return
        if place.number == 0:
            self._close_animation()
            self._animation = AnimationFile(self._ready(finished), place.plays)
        assert self._animation is not None  # noqa: S101 - a source counts the frames of an animation from 0
        start_s = finished.frame.pts * finished.frame.time_base
        self._animation.add(picture(finished, self._mode), start_s)
        self._end_s = start_s + place.duration_s

    def finish(self, _trailing_packets: Iterable[Any] = ()) -> None:
        """Close the last animation; every other file is whole already."""
        self._close_animation()

    def abandon(self) -> None:
        """The pictures that are there are whole, they stay."""
        if self._animation is not None:
            self._animation.abandon()

    def _ready(self, finished: Finished) -> Path:
        path = self._place(finished)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{path.parent}: cannot be made ({error.strerror}); choose another folder") from error
        check_target(path, overwrite=self._overwrite)
        self._note_gif(path)
        return path

    def _close_animation(self) -> None:
        ended, self._animation = self._animation, None
        if ended is not None:
            ended.finish(self._end_s)
            self.notes += ended.notes

    def _note_gif(self, path: Path) -> None:
        if path.suffix.lower() == ".gif" and self._mode == "transparent" and GIF_ALPHA not in self.notes:
            self.notes.append(GIF_ALPHA)


def numbered(pattern: str) -> Place:
    """Places for the frames of a video: `pattern` with `%d` or `%05d`, counted from 1."""
    count = iter(range(1, 1 << 62))
    return lambda _: Path(pattern % next(count))


def into(folder: Path, mode: Mode) -> Place:
    """The place of a picture in a folder: its name, with the ending that `picture_result` gives."""
    return lambda finished: (
        folder / picture_result(finished.frame.name, mode, is_animation=finished.frame.animation is not None)
    )


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
        OutputError: no such kind of picture, or the disk is full. MissingExtraError: the library for its kind.
    """
    data = encode_picture(path.suffix.lower(), image)
    if isinstance(data, str):
        raise OutputError(f"{path}: {data}")
    try:
        write_whole(path, data)
    except OSError as error:
        raise OutputError(
            f"{path}: writing failed ({error.strerror}); free some space, or choose another place"
        ) from error
