"""What to measure: the one object that crosses to the measuring process."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segbench.errors import OptionError
from segruntime.backends import BACKENDS
from segruntime.segmenter import MAX_THREADS

SMALLEST_SIDE, LARGEST_SIDE = 16, 8192
MOST_RUNS = 1_000_000
MOST_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One measurement. `None` leaves the choice to the runtime (model, backend, threads) or to the picture (size).

    At least `runs` rounds and at least `seconds` seconds are measured, after `warmup` rounds that are thrown away.
    """

    model: str | None = None
    backend: str | None = None
    threads: int | None = None
    width: int | None = None
    height: int | None = None
    picture: str | None = None
    runs: int = 100
    seconds: float = 2.0
    warmup: int = 10

    def __post_init__(self) -> None:
        if self.backend is not None and self.backend not in BACKENDS:
            raise OptionError(f"backend: got {self.backend!r}, expected one of {', '.join(BACKENDS)}")
        if self.threads is not None:
            _check_whole("threads", self.threads, 1, MAX_THREADS)
        for name, side in (("width", self.width), ("height", self.height)):
            if side is not None:
                _check_whole(f"size: {name}", side, SMALLEST_SIDE, LARGEST_SIDE)
        if (self.width is None) != (self.height is None):
            raise OptionError("size: got one side, expected width and height together, like 1280x720")
        _check_whole("runs", self.runs, 1, MOST_RUNS)
        _check_whole("warmup", self.warmup, 0, MOST_RUNS)
        if not _is_number(self.seconds) or not 0 <= self.seconds <= MOST_SECONDS:
            raise OptionError(f"seconds: got {self.seconds!r}, expected a number from 0 to {MOST_SECONDS:g}")
        for name, path in (("model", self.model), ("picture", self.picture)):
            if path is not None and not isinstance(path, (str, Path)):
                raise OptionError(f"{name}: got {path!r}, expected the path of a file")

    def to_json(self) -> dict[str, Any]:
        return {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: object) -> Job:
        """Raises OptionError: no object, an unknown field, or a value that cannot be used."""
        if not isinstance(data, dict):
            raise OptionError(f"job: got {type(data).__name__}, expected a JSON object")
        known = cls.__dataclass_fields__
        unknown = [str(key)[:80] for key in data if key not in known]
        if unknown:
            raise OptionError(f"job: unknown field {unknown[0]!r}, known: {', '.join(known)}")
        return cls(**data)


def parse_size(text: str) -> tuple[int, int]:
    """`"1280x720"` → `(1280, 720)`, width first.

    Raises:
        OptionError: anything else, or a side that no frame has.
    """
    match = re.fullmatch(r"([0-9]{1,9})[xX×]([0-9]{1,9})", text.strip())
    if match is None:
        raise OptionError(f"size: got {text[:80]!r}, expected WIDTHxHEIGHT in pixels, like 1280x720")
    width, height = int(match[1]), int(match[2])
    if not all(SMALLEST_SIDE <= side <= LARGEST_SIDE for side in (width, height)):
        raise OptionError(f"size: got {width}x{height}, expected sides from {SMALLEST_SIDE} to {LARGEST_SIDE} pixels")
    return width, height


def _check_whole(name: str, value: object, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise OptionError(f"{name}: got {value!r}, expected a whole number from {low} to {high}")


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
