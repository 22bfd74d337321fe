"""Where live results go: a virtual camera, a window, or nowhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np

from segruntime.errors import MissingExtraError, OutputError
from segruntime.run.live.camera import i420_views
from segruntime.run.planes import Planes, chroma_size
from segruntime.run.source import VideoFacts
from segruntime.run.stages import Canvas, Mode
from segruntime.run.stations import Finished
from segruntime.run.video.tone_map import shown

_PREVIEW_WIDTH = 960
_ESCAPE = 27


class Pace:
    """Holds frames of a file back until their time has come; live ones come at their time."""

    def __init__(self, facts: VideoFacts) -> None:
        self._tick_s = None if facts.is_live else float(facts.time_base)
        self._start: tuple[float, int] | None = None

    def wait(self, pts: int) -> None:
        """Until the time of a frame, counted from the first one."""
        if self._tick_s is None:
            return
        if self._start is None:
            self._start = time.perf_counter(), pts
        due = self._start[0] + (pts - self._start[1]) * self._tick_s
        time.sleep(max(0.0, due - time.perf_counter()))


class VirtualCameraSink:
    """A camera that other programs see: v4l2loopback on Linux, OBS elsewhere, through pyvirtualcam."""

    def __init__(self, facts: VideoFacts, device: str | None = None) -> None:
        """
        Raises:
            MissingExtraError: pyvirtualcam is not installed. OutputError: there is no virtual camera.
        """
        self.notes: list[str] = []
        self._pace = Pace(facts)
        self._width, self._height = facts.width & ~1, facts.height & ~1
        if (facts.width, facts.height) != (self._width, self._height):
            cut = f"{facts.width}x{facts.height} became {self._width}x{self._height}"
            self.notes.append(f"{cut}: a virtual camera has even sides, the last column or row is left out")
        try:
            import pyvirtualcam
        except ImportError as error:
            raise MissingExtraError("a virtual camera", "pyvirtualcam", "virtualcam") from error
        try:
            self._camera = pyvirtualcam.Camera(
                width=self._width,
                height=self._height,
                fps=float(facts.rate),
                fmt=pyvirtualcam.PixelFormat.I420,
                device=device,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise OutputError(
                f"virtual camera: cannot be opened ({' '.join(str(error).split())[:200]}); on Linux load it first: "
                "sudo modprobe v4l2loopback"
            ) from error

    def canvas(self, size: tuple[int, int]) -> tuple[Any, Planes]:
        """One buffer in I420 and its planes; planes alone where a side of `size = (H, W)` is odd."""
        if size != (self._height, self._width):
            return None, tuple(np.empty(plane, np.uint8) for plane in (size, chroma_size(*size), chroma_size(*size)))
        buffer = np.empty((size[0] * 3 // 2, size[1]), np.uint8)
        return buffer, i420_views(buffer)

    def write(self, finished: Finished) -> None:
        """Show it to anyone who looks, when its time has come."""
        self._pace.wait(finished.frame.pts)
        self._camera.send(self._packed(finished.pixels) if finished.holder is None else finished.holder)

    def _packed(self, pixels: Planes) -> Any:
        buffer = np.empty((self._height * 3 // 2, self._width), np.uint8)
        for plane, target in zip(pixels, i420_views(buffer), strict=True):
            target[:] = plane[: target.shape[0], : target.shape[1]]
        return buffer

    def finish(self, _trailing_packets: Iterable[Any] = ()) -> None:
        """Take the camera away."""
        self._camera.close()

    abandon = finish


class NoSink:
    """Nothing is kept: for a preview alone, at the speed of the video."""

    canvas: Canvas | None = None

    def __init__(self, facts: VideoFacts | None = None) -> None:
        self.notes: list[str] = []
        self._pace = Pace(facts) if facts else None

    def write(self, finished: Finished) -> None:
        """Wait until its time has come."""
        if self._pace is not None:
            self._pace.wait(finished.frame.pts)

    def finish(self, _trailing_packets: Iterable[Any] = ()) -> None:
        """Nothing."""

    abandon = finish


class Preview:
    """A window with the result; it must live on the main thread."""

    def __init__(self, mode: Mode) -> None:
        """
        Raises:
            OutputError: there is no screen, or this OpenCV has no windows.
        """
        no_screen = sys.platform == "linux" and not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY")
        if no_screen and os.environ.get("QT_QPA_PLATFORM") != "offscreen":
            raise OutputError("preview: no screen was found (DISPLAY is not set); leave --preview out, and give -o")
        self._mode = mode
        try:
            cv2.namedWindow(_TITLE, cv2.WINDOW_AUTOSIZE)
        except cv2.error as error:
            raise OutputError(
                "preview: this OpenCV has no windows (opencv-python-headless); leave --preview out, or install opencv-python"
            ) from error

    def show(self, finished: Finished) -> bool:
        """Show it; False when the user pressed q or Escape."""
        height, width = finished.frame.size
        scale = min(1.0, _PREVIEW_WIDTH / width)
        size = max(1, round(height * scale)), max(1, round(width * scale))
        if self._mode == "alpha" and finished.alpha is not None:
            image = cv2.resize(finished.alpha, size[::-1], interpolation=cv2.INTER_AREA)
        elif finished.frame.is_still:
            image = cv2.resize(finished.pixels[0], size[::-1], interpolation=cv2.INTER_AREA)
        else:
            image = shown(finished.pixels, finished.frame.tags, size)
        cv2.imshow(_TITLE, image)
        return cv2.waitKey(1) & 0xFF not in (ord("q"), _ESCAPE)

    def close(self) -> None:
        """Close the window."""
        cv2.destroyWindow(_TITLE)


_TITLE = "segrun"
