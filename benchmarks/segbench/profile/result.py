"""Profile results, version 1: one JSON object with the time of each part, of each kind and place of parts, and of the whole."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from segbench.results.header import Header
from segbench.results.subject import Subject

FORMAT = "segedge.segbench.profile"
VERSION = 1

Values = list[tuple[float, ...]]
"""Raw times in ms: of each process, one a round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A time, and half of its 95 % interval over the processes; None where one process alone tells nothing of it."""

    ms: float
    error_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartTime:
    """A part as `segbench.profile.part` has it; `share` of the time of all parts."""

    kind: str
    name: str
    shape: tuple[int, ...]
    place: str
    operators: int
    time: Estimate
    share: float
    values_ms: Values

    def to_json(self) -> dict[str, Any]:
        return _flat(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTime:
    """Parts that are alike, under the kind or the place that they share."""

    name: str
    operators: int
    time: Estimate
    share: float

    def to_json(self, key: str) -> dict[str, Any]:
        """`key`: what the name is in the file, `kind` or `place`."""
        found = _flat(self)
        return {key: found.pop("name"), **found}


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeTime:
    """The model as it is. `overhead`: how many times as long it takes, where it is the whole while a profiler watches."""

    time: Estimate
    overhead: float | None = None
    values_ms: Values

    def to_json(self) -> dict[str, Any]:
        return {key: value for key, value in _flat(self).items() if key != "overhead" or value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixTime:
    """The first `parts` parts as one graph; `parts_ms` is what they come to one by one, `apart` the difference in shares of
    the whole."""

    parts: int
    time: Estimate
    parts_ms: float
    apart: float
    values_ms: Values

    def to_json(self) -> dict[str, Any]:
        return _flat(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What the processes come to together; kinds and places with the longest first."""

    clock: str
    unpacking: int
    parts: tuple[PartTime, ...]
    kinds: tuple[GroupTime, ...]
    places: tuple[GroupTime, ...]
    sum_ms: float
    sum_to_whole: float
    whole: WholeTime
    profiled: WholeTime | None
    prefixes: tuple[PrefixTime, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "parts": [one.to_json() for one in self.parts],
            "kinds": [one.to_json("kind") for one in self.kinds],
            "places": [one.to_json("place") for one in self.places],
            "whole": self.whole.to_json(),
            "profiled": None if self.profiled is None else self.profiled.to_json(),
            "prefixes": [one.to_json() for one in self.prefixes],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileResult:
    """What `segbench profile -o` writes: measured in so many `processes`, in `seconds` of running together."""

    header: Header
    seconds: float
    processes: int
    subject: Subject
    method: str
    profile: Profile
    warnings: tuple[str, ...]
    interrupted: bool

    def to_json(self) -> dict[str, Any]:
        return self.header.to_json(
            {
                "settings": {"seconds": self.seconds, "processes": self.processes},
                **self.subject.to_json(),
                "method": self.method,
                **self.profile.to_json(),
                "warnings": self.warnings,
                "interrupted": self.interrupted,
            }
        )


def _flat(one: PartTime | GroupTime | WholeTime | PrefixTime) -> dict[str, Any]:
    """`ms` and `error_ms` among the fields of their owner."""
    found = asdict(one)
    return {**found.pop("time"), **found}
