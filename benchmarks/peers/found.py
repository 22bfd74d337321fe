"""What a run has found so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from peers.errors import PeerError, reason
from peers.masks import MasksFound
from segruntime.strict_json import Fields

Row = tuple[str, str]  # the names of a peer and a task


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFacts:
    """What a peer says of itself when it is loaded."""

    threads: int
    packages: dict[str, str]
    notes: tuple[str, ...]

    @classmethod
    def from_json(cls, f: Fields) -> PeerFacts:
        return cls(threads=f.integer("threads", 1, 1024), packages=f.string_map("packages"), notes=f.strings("notes"))


@dataclass(slots=True, kw_only=True)
class Found:
    """By peer: what it said of itself, how its masks agree, why it failed. By row: the values of each process, in ms."""

    facts: dict[str, PeerFacts] = field(default_factory=dict)
    masks: dict[str, MasksFound] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    values_ms: dict[Row, list[list[float]]] = field(default_factory=dict)

    def fail(self, error: PeerError, name: str) -> None:
        """The first reason counts."""
        self.failures.setdefault(name, reason(str(error).removeprefix(f"{name}: ")))
