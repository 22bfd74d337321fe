"""The value of a JSON text: no depth that exhausts the stack, no name twice in one object, no NaN or infinity."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

DEEPEST = 64
_MARKS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]')


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    The depth is counted first: json's C parser recurses, and in a process whose recursion limit some library has raised
    a deep text ends not in RecursionError but in a crash.

    Raises:
        ValueError: not JSON, nested deeper than 64, a name that stands twice in one object, NaN or Infinity.
    """
    depth = 0
    for mark in _MARKS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark.group()[0], 0)
        if depth > DEEPEST:
            raise ValueError(f"nested deeper than {DEEPEST}")
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)


def read_json(path: Path, most_bytes: int) -> Any:
    """The value in a file of UTF-8 JSON; a larger file is not read further.

    Raises:
        OSError: it cannot be read. ValueError: larger than `most_bytes`, not UTF-8, or as `parse_json`.
    """
    with path.open("rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise ValueError(f"larger than {most_bytes} bytes")
    return parse_json(data.decode("utf-8"))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A name that stands twice would mean one thing here and another elsewhere."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:80]!r} stands twice in one object")
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number here")
