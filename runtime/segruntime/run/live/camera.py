"""A camera, through OpenCV: frames with the time at which they came."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from segruntime.errors import VideoError
from segruntime.opencv_log import quiet_opencv
from segruntime.run.planes import BT601, LIMITED, ColorTags, Planes
from segruntime.run.source import VideoFacts, ended_early
from segruntime.run.stations import Decoded

_TICKS_PER_S = 90_000
_USUAL_RATE = 30


class CameraSource:
    """Iterates over the frames of a camera until it is unplugged."""

    frames = None
    is_live = True
    broken = 0

    def __init__(self, device: int | str, size: tuple[int, int] | None = None) -> None:
        """Open camera `device`, a number or a path like `/dev/video0`, at `size = (width, height)` where it can do that.

        Raises:
            VideoError: there is no such camera, or it gives no frame.
        """
        self._cut: str | None = None
        self._name = f"camera {device}"
        self._capture = _opened(device)
        if size is not None:
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        self._first = self._read() if self._capture.isOpened() else None
        if self._first is None:
            self._capture.release()
            raise VideoError(
                f"{self._name}: gives no picture, expected a camera; check the cable, the number (0 is the first one), "
                "and that no other program holds it"
            )
        self.facts = self._facts(self._first)

    def __iter__(self) -> Iterator[Decoded]:
        start = time.perf_counter()
        frame = self._first
        while frame is not None:
            ticks = int((time.perf_counter() - start) * _TICKS_PER_S)
            planes = i420_views(cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420))
            yield Decoded(pixels=planes, tags=self.facts.tags, pts=ticks, time_base=self.facts.time_base)
            frame = self._read()
        self._cut = f"{self._name} gives no more pictures; was it unplugged?"

    @property
    def unplugged(self) -> bool:
        return self._cut is not None

    def trailing_packets(self) -> list[Any]:
        return []

    def problems(self, done: int) -> list[str]:
        return ended_early(self._cut, done)

    def close(self) -> None:
        self._capture.release()

    def _read(self) -> Any:
        ok, frame = self._capture.read()
        if not ok:
            return None
        height, width = frame.shape[:2]
        return frame[: height & ~1, : width & ~1]

    def _facts(self, frame: Any) -> VideoFacts:
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        return VideoFacts(
            width=frame.shape[1],
            height=frame.shape[0],
            time_base=Fraction(1, _TICKS_PER_S),
            rate=Fraction(rate).limit_denominator(1001) if 1 <= rate <= 1000 else Fraction(_USUAL_RATE),
            is_live=True,
            tags=ColorTags(matrix=BT601, range=LIMITED),  # what OpenCV's conversion to I420 gives
        )


def i420_views(buffer: Any) -> Planes:
    """`(H * 3 / 2, W) uint8` in OpenCV's I420 layout → its planes Y, U, V as views; both sides of the picture even."""
    rows, width = buffer.shape
    height = rows * 2 // 3
    quarter = height * width // 4
    flat = buffer.reshape(-1)
    chroma = [flat[start : start + quarter].reshape(height // 2, width // 2) for start in (4 * quarter, 5 * quarter)]
    return tuple(np.asarray(plane, np.uint8) for plane in (buffer[:height], *chroma))


def _opened(device: int | str) -> Any:
    with quiet_opencv():  # ours says once that a camera is absent
        return cv2.VideoCapture(device)
