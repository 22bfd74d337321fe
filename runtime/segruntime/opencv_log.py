"""OpenCV's own lines on standard error, held back where our one line says what went wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2

_SILENT = 0
_lock = threading.Lock()
_inside: list[int] = []  # the level before the first of those that are inside now


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """OpenCV says nothing inside; after the last thread has left, its level is what it was."""
    log: Any = getattr(cv2.utils, "logging", cv2)  # where OpenCV 5 has it, and OpenCV 4
    with _lock:
        _inside.append(_inside[0] if _inside else log.getLogLevel())
        log.setLogLevel(_SILENT)
    try:
        yield
    finally:
        with _lock:
            before = _inside.pop()
            if not _inside:
                log.setLogLevel(before)
