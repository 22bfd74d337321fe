"""PyAV, imported when a video is first opened, and its errors in one line."""

from __future__ import annotations

from typing import Any

from segruntime.errors import MissingExtraError


def require_av() -> Any:
    """The module `av`, with its own log turned off.

    Raises:
        MissingExtraError: PyAV is not installed.
    """
    try:
        import av
        import av.logging
    except ImportError as error:
        raise MissingExtraError("a video", "PyAV", "video") from error
    av.logging.set_level(None)
    return av


def reason(error: Exception) -> str:
    """What ffmpeg says of it, without its numbers and paths."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())[:200]
