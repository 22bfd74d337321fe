"""Where in the user's own code an error was raised, and the error in one line."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

_OURS = str(Path(__file__).resolve().parents[1])
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
LONGEST = 300


def told(error: BaseException) -> str:
    """`ValueError in nets.py:12: wants 224`."""
    place = users_line(error)
    text = " ".join(str(error).split())
    short = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return f"{type(error).__name__}{f' in {place}' if place else ''}{f': {short}' if short else ''}"


def users_line(error: BaseException) -> str | None:
    """`nets.py:12`, the innermost line that is neither ours nor an installed library's; None where there is none."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = frame.filename
        if not path.startswith(("<", _OURS, *_INSTALLED)):
            return f"{_shortest(path)}:{frame.lineno}"
    return None


def _shortest(path: str) -> str:
    """From the working directory, where it is below that."""
    here = Path.cwd()
    full = Path(path)
    return str(full.relative_to(here)) if full.is_relative_to(here) else full.name
