"""What a process measures of one model: its parts, and the whole next to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from segbench.readers import MOST, whole
from segruntime.strict_json import Fields

MOST_ROUNDS = 500  # in one process: that is enough, and the raw values are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One operator, or a few that could not be told apart: `kind` then names each kind once, joined by ` + `.

    `name` and `shape` are of its last output; `place` is what runs it; `values_ms` the raw times, one a round.
    """

    kind: str
    name: str
    shape: tuple[int, ...]
    place: str
    operators: int
    values_ms: tuple[float, ...]

    @classmethod
    def from_json(cls, f: Fields) -> Part:
        return cls(
            kind=f.string("kind"),
            name=f.string("name"),
            shape=tuple(f.raw("shape")),
            place=f.string("place"),
            operators=whole(f)("operators"),
            values_ms=tuple(f.raw("values_ms")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """The first `parts` parts as one graph: a second method, against which their sum is held."""

    parts: int
    values_ms: tuple[float, ...]

    @classmethod
    def from_json(cls, f: Fields) -> Prefix:
        return cls(parts=whole(f)("parts"), values_ms=tuple(f.raw("values_ms")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one process found. `whole_ms`: the model as it is; `profiled_ms`: the same while a profiler watches, where one does.

    `clock`: `processor`, the time that the thread had the processor, or `wall`. `unpacking`: operators that only unpack
    constants, once, and are no part. `warnings`: what the runtime said. Without a value where Ctrl-C came too early.
    """

    clock: str
    parts: tuple[Part, ...]
    whole_ms: tuple[float, ...]
    profiled_ms: tuple[float, ...] | None
    prefixes: tuple[Prefix, ...]
    unpacking: int
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, f: Fields) -> Taken:
        return cls(
            clock=f.string("clock"),
            parts=tuple(map(Part.from_json, f.parts("parts", 0, MOST))),
            whole_ms=tuple(f.raw("whole_ms")),
            profiled_ms=f.nullable("profiled_ms", lambda key: tuple(f.raw(key))),
            prefixes=tuple(map(Prefix.from_json, f.parts("prefixes", 0, MOST))),
            unpacking=whole(f)("unpacking"),
            warnings=f.strings("warnings"),
        )


def joined(names: Iterable[str]) -> str:
    """Each name once: `CONV_2D + PAD`."""
    return " + ".join(dict.fromkeys(names))


def rounded_ms(seconds: Iterable[float]) -> tuple[float, ...]:
    """As segbench keeps raw values: ms, to ten nanoseconds."""
    return tuple(round(one * 1e3, 5) for one in seconds)
