"""The frames of a video file, one after the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from segbench.errors import ClipError
from segruntime.preprocess import Frame


class Clip:
    """An open video file; `width`, `height` as the frames have them, `fps` and `declared_frames` as its header says."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            ClipError: missing, no file, or no video.
        """
        if not path.is_file():
            found = "a folder" if path.is_dir() else "nothing there"
            raise ClipError(f"{path}: found {found}, expected a video file; check the path")
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong with a file, we say ourselves
        self.path = path
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise ClipError(
                f"{path}: cannot be opened as a video ({path.stat().st_size} bytes), expected MP4, WebM or another that "
                "OpenCV reads; convert it to H.264 in MP4"
            )
        self.width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        fps, count = self._capture.get(cv2.CAP_PROP_FPS), self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.fps = fps if 0 < fps < 1e4 else None
        self.declared_frames = int(count) if 0 < count < 1e9 else None

    def __enter__(self) -> Clip:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._capture.release()

    def frames(self, limit: int | None = None) -> Iterator[Frame]:
        """Each frame `(H, W, 3) uint8, BGR`, turned as the file says, at most `limit` of them.

        Raises:
            ClipError: there is not even one.
        """
        count = 0
        while limit is None or count < limit:
            there, frame = self._capture.read()
            if not there:
                break
            count += 1
            yield np.asarray(frame, np.uint8)
        if not count:
            raise ClipError(
                f"{self.path}: has no frame that can be decoded, expected a video; it may be cut off, copy it again"
            )
