"""Sustained results, version 1: one JSON object with every raw value, minute by minute.

The classes below are what a reader may rely on. Fields beyond theirs may be in a file.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segbench.readers import MOST, amount, amounts, whole
from segbench.results.file import read_result
from segbench.results.header import Header
from segbench.results.subject import Subject
from segruntime.strict_json import Fields

FORMAT = "segedge.segbench.sustained"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """`minute` from 1; `seconds` 60, of the last one perhaps fewer; the passes' times in ms, every one in `values_ms`.

    `others_cores`: how many cores other programs took. Of the sensors the highest temperature, the mean clock, whether the
    clock was held down at any time, and what the firmware said; each is None where the machine does not tell.
    """

    minute: int
    seconds: float
    n: int
    p50_ms: float
    p90_ms: float
    others_cores: float | None
    temperature_c: float | None
    frequency_mhz: float | None
    throttled: bool | None
    throttle_flags: tuple[str, ...] | None
    values_ms: list[float]

    @classmethod
    def from_json(cls, f: Fields) -> Minute:
        return cls(
            minute=whole(f)("minute"),
            seconds=amount(f)("seconds"),
            n=whole(f)("n"),
            p50_ms=amount(f)("p50_ms"),
            p90_ms=amount(f)("p90_ms"),
            others_cores=f.nullable("others_cores", amount(f)),
            temperature_c=f.nullable("temperature_c", f.number),
            frequency_mhz=f.nullable("frequency_mhz", amount(f)),
            throttled=f.nullable("throttled", f.boolean),
            throttle_flags=f.optional("throttle_flags", f.strings),
            values_ms=amounts(f)("values_ms"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SustainedResult:
    """What `segbench sustained -o` writes. `asked_minutes`: for how long it was to run.

    `last_to_first`: the median of the last minute over that of the first, None where there is no second minute of at least 30
    seconds. `interrupted`: Ctrl-C ended it, it holds what was measured until then.
    """

    header: Header
    asked_minutes: float
    subject: Subject
    minutes: tuple[Minute, ...]
    last_to_first: float | None
    interrupted: bool
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return self.header.to_json(
            {
                "settings": {"minutes": self.asked_minutes},
                **self.subject.to_json(),
                "minutes": [asdict(one) for one in self.minutes],
                "last_to_first": self.last_to_first,
                "interrupted": self.interrupted,
                "warnings": self.warnings,
            }
        )

    @classmethod
    def from_json(cls, f: Fields) -> SustainedResult:
        return cls(
            header=Header.from_json(f),
            asked_minutes=amount(f.part("settings"))("minutes"),
            subject=Subject.from_json(f),
            minutes=tuple(map(Minute.from_json, f.parts("minutes", 1, MOST))),
            last_to_first=f.nullable("last_to_first", amount(f)),
            interrupted=f.boolean("interrupted"),
            warnings=f.strings("warnings"),
        )


def read_sustained(path: Path) -> SustainedResult:
    """The result in `path`.

    Raises:
        ResultsError: missing, empty, not JSON, not ours, of another version, edited, or a field is missing or wrong.
    """
    return read_result(path, FORMAT, VERSION, SustainedResult.from_json, command="segbench sustained")
