"""What a run has found so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from peers.errors import PeerError, reason

Row = tuple[str, str]  # the names of a peer and a task


@dataclass(slots=True, kw_only=True)
class Found:
    """By peer: what it said of itself, how its masks agree, why it failed. By row: the values of each process, in ms."""

    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    masks: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    values_ms: dict[Row, list[list[float]]] = field(default_factory=dict)

    def fail(self, error: PeerError, name: str) -> None:
        """The first reason counts."""
        self.failures.setdefault(name, reason(str(error).removeprefix(f"{name}: ")))
