"""Where in the user's own code an error was raised, and the error in one line."""

from __future__ import annotations

import linecache
import re
import sysconfig
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

_OURS = str(Path(__file__).resolve().parents[1])
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_TRACERS = ("torch", "onnxscript", "onnx_ir")
_NOTED = re.compile(r'^\s*File "(.+?)", line (\d+)', re.M)
Frame: TypeAlias = tuple[str, int | str]
LONGEST, LONGEST_LINE = 300, 100


def told(error: BaseException) -> str:
    """`ValueError in nets.py:12: wants 224`."""
    place = users_line(error)
    text = " ".join(str(error).split())
    short = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return f"{type(error).__name__}{f' in {place}' if place else ''}{f': {short}' if short else ''}"


def users_line(error: BaseException) -> str | None:
    """`nets.py:12`, the innermost line that is neither ours nor an installed library's; None where there is none."""
    frame = _innermost(_frames_of(error), _is_users)
    return f"{_shortest(frame[0])}:{frame[1]}" if frame else None


def forward_line(traced: BaseException | str) -> tuple[str, str] | None:
    """Place and text of the line of forward where it was raised, or that torch notes at an operator (`stack_trace`).

    `("nets.py:12", "if y.mean() > 0:")`; of a library's network, the library's line. None where there is none.
    """
    frames: list[Frame] = _NOTED.findall(traced) if isinstance(traced, str) else _frames_of(traced)
    frame = _innermost(frames, _is_users) or _innermost(frames, _is_a_librarys)
    if frame is None:
        return None
    path, line = frame
    return f"{_shortest(path)}:{line}", linecache.getline(path, int(line)).strip()[:LONGEST_LINE]


def _frames_of(error: BaseException) -> list[Frame]:
    return [(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)]


def _innermost(frames: Sequence[Frame], whose: Callable[[str], bool]) -> Frame | None:
    return next((frame for frame in reversed(frames) if whose(frame[0])), None)


def _is_users(path: str) -> bool:
    return not path.startswith(("<", _OURS, *_INSTALLED))


def _is_a_librarys(path: str) -> bool:
    package = re.search(r"-packages/([^/]+)/", path)
    return package is not None and package[1] not in _TRACERS and not path.startswith(_OURS)


def _shortest(path: str) -> str:
    """From the working directory, where it is below that."""
    here = Path.cwd()
    full = Path(path)
    return str(full.relative_to(here)) if full.is_relative_to(here) else full.name
