"""A unit on its way through the stages of a worker: what goes wrong with one is not the end of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from segruntime.errors import SegRuntimeError
from segruntime.jobs.unit import Outcome, Unit
from segruntime.run.video.av_library import NO_SPACE


@dataclass(slots=True)
class Step:
    """`value`: what the last stage made. `error`: why one could not, in a line; the stages after it are passed over then.

    `is_last`: the disk is full, and the next unit would fare no better.
    """

    unit: Unit
    value: Any = None
    error: str | None = None
    is_last: bool = False
    notes: list[str] = field(default_factory=list)

    def go(self, stage: Callable[[Any], Any]) -> Step:
        """On to the next value."""
        if self.error is not None:
            return self
        try:
            self.value = stage(self.value)
        except SegRuntimeError as error:
            said, self.is_last = str(error), _is_full(error)
            self.error = said if self.unit.source in said else f"{self.unit.label}: {said}"
        except Exception as error:  # noqa: BLE001 - a fault of ours, or of a library, in one file of thousands
            said = " ".join(str(error).split())[:200]
            self.error = f"{self.unit.label}: {type(error).__name__}: {said}"
        return self

    def outcome(self, frames: int, seconds: float) -> Outcome:
        is_done = self.error is None
        return Outcome(
            unit=self.unit,
            state="finished" if is_done else "failed",
            frames=frames if is_done else 0,
            seconds=seconds,
            error=self.error,
            notes=tuple(self.notes),
            is_last=self.is_last,
        )


def _is_full(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            return True
        error = error.__cause__
    return False
