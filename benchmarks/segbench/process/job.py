"""What one process measures: the object that crosses to it."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from segbench.errors import OptionError
from segruntime.backends import BACKENDS
from segruntime.refine import PRESETS
from segruntime.segmenter import MAX_THREADS
from segruntime.strict_json import Fields

SMALLEST_SIDE, LARGEST_SIDE = 16, 8192
MOST_RUNS = 1_000_000
MOST_SECONDS = 3600.0
MOST_RATE = 1000.0
MOST_PROCESSES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured: in each of `processes` fresh processes at least `runs` rounds and at least `seconds` seconds.

    Before that at least `warmup_runs` rounds and `warmup_seconds` seconds are run and thrown away.
    """

    runs: int = 50
    seconds: float = 2.0
    warmup_runs: int = 10
    warmup_seconds: float = 0.5
    processes: int = 5

    def __post_init__(self) -> None:
        check_whole("runs", self.runs, 1, MOST_RUNS)
        check_whole("warmup_runs", self.warmup_runs, 0, MOST_RUNS)
        _check_number("seconds", self.seconds, 0, MOST_SECONDS)
        _check_number("warmup_seconds", self.warmup_seconds, 0, MOST_SECONDS)
        check_whole("processes", self.processes, 1, MOST_PROCESSES)

    @classmethod
    def from_json(cls, f: Fields) -> Effort:
        """The values as they are: whether they can be used says the constructor."""
        return cls(**{one.name: f.raw(one.name) for one in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One configuration. `None` leaves the choice to the runtime (model, backend, threads) or to the input (size).

    `input`: a picture or a video; None: a drawn frame. `preset`: how masks are refined; None: not at all. `rate`: frames a
    second, as a camera gives them; None: as fast as it goes. `least_mask_iou`: what the file's contract has to say of its
    masks next to the float network's, 0–1; None: nothing.
    """

    model: str | None = None
    backend: str | None = None
    threads: int | None = None
    width: int | None = None
    height: int | None = None
    input: str | None = None
    preset: str | None = None
    effort: Effort = field(default_factory=Effort)
    rate: float | None = None
    least_mask_iou: float | None = None

    def __post_init__(self) -> None:
        _check_choice("backend", self.backend, BACKENDS)
        _check_choice("preset", self.preset, PRESETS)
        if self.threads is not None:
            check_whole("threads", self.threads, 1, MAX_THREADS)
        for name, side in (("width", self.width), ("height", self.height)):
            if side is not None:
                check_whole(f"size: {name}", side, SMALLEST_SIDE, LARGEST_SIDE)
        if (self.width is None) != (self.height is None):
            raise OptionError("size: got one side, expected width and height together, like 1280x720")
        if self.rate is not None:
            _check_number("rate", self.rate, 0.1, MOST_RATE)
        if self.least_mask_iou is not None:
            _check_number("least_mask_iou", self.least_mask_iou, 0, 1)
        for name, path in (("model", self.model), ("input", self.input)):
            if path is not None and not isinstance(path, (str, Path)):
                raise OptionError(f"{name}: got {path!r}, expected the path of a file")

    @property
    def size(self) -> tuple[int, int] | None:
        """`(width, height)`, or None for that of the input."""
        return None if self.width is None or self.height is None else (self.width, self.height)

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
        try:
            effort = Effort.from_json(Fields(data["effort"], "effort")) if "effort" in data else Effort()
        except ValueError as error:
            raise OptionError(str(error)) from error
        return cls(**{**data, "effort": effort})


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


def parse_threads(text: str) -> int:
    """`"4"` → 4.

    Raises:
        OptionError: anything else, or a number that no interpreter takes.
    """
    if re.fullmatch(r"[0-9]{1,9}", text.strip()) is None:
        raise OptionError(
            f"threads: got {text[:80]!r}, expected a whole number from 1 to {MAX_THREADS}, or several: 1,2,4"
        )
    threads = int(text)
    check_whole("threads", threads, 1, MAX_THREADS)
    return threads


def _check_choice(name: str, value: object, known: dict[str, Any]) -> None:
    if value is not None and (not isinstance(value, str) or value not in known):
        raise OptionError(f"{name}: got {value!r}, expected one of {', '.join(known)}")


def check_whole(name: str, value: object, low: int, high: int) -> None:
    """Raises OptionError."""
    if type(value) is not int or not low <= value <= high:
        raise OptionError(f"{name}: got {value!r}, expected a whole number from {low} to {high}")


def _check_number(name: str, value: object, low: float, high: float) -> None:
    if type(value) not in (int, float) or not math.isfinite(value) or not low <= value <= high:  # type: ignore[arg-type, operator]
        raise OptionError(f"{name}: got {value!r}, expected a number from {low:g} to {high:g}")
