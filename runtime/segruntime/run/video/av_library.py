"""PyAV, imported when a video is first opened, and its errors in one line."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from segruntime.errors import MissingExtraError, OutputError

NO_SPACE = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO)


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


def side_data(frame: Any) -> dict[str, Any]:
    """What a frame brings beside its pixels: FFmpeg's name of the kind → PyAV's buffer, of which `bytes` makes a copy."""
    container = frame.side_data
    # PyAV before 19 iterates over what is there, later ones over its kinds
    found = [one if hasattr(one, "type") else container[one] for one in container]
    return {data.type.name: data for data in found}


def close_quietly(container: Any) -> None:
    """Close a container that is thrown away: what its muxer says of it does not matter."""
    with suppress(require_av().FFmpegError, OSError, ValueError):
        container.close()


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """What goes wrong with a file that is being written, said of its final name.

    Raises:
        OutputError: the disk is full, or ffmpeg's libraries refuse it.
    """
    av = require_av()
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        is_full = getattr(error, "errno", None) in NO_SPACE
        advice = "Free some space, or choose another disk" if is_full else "Choose another ending, like .mkv or .mp4"
        raise OutputError(f"{target}: writing failed ({reason(error)}); nothing is left of it. {advice}") from error
