"""Units that no worker has: what each gets next, and what becomes of those whose worker died."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence

from segruntime.jobs.unit import Outcome, Unit

MOST_DEATHS = 3
AHEAD = 3
"""Pictures that wait at a worker while it masks one."""


class UnitQueue:
    """Takes units from an iterator as workers become free, and those again whose worker died."""

    def __init__(self, units: Iterator[Unit]) -> None:
        self._units = units
        self._again: deque[Unit] = deque()
        self._deaths: Counter[str] = Counter()

    @property
    def is_empty(self) -> bool:
        """Whether every unit is at a worker, or done."""
        if not self._again:
            self._again.extend([unit] if (unit := next(self._units, None)) else [])
        return not self._again

    def next_for(self, held: Collection[Unit]) -> Unit | None:
        """The next for a worker that holds these; None: nothing for it now."""
        if held and (len(held) > AHEAD or not all(map(self._may_share, held))):
            return None
        unit = self._again.popleft() if self._again else next(self._units, None)
        if unit is not None and held and not self._may_share(unit):
            self._again.appendleft(unit)
            return None
        return unit

    def after_death(self, left: Sequence[Unit], why: str) -> Iterator[Outcome]:
        """What a dead worker held is done again, before all others; what saw too many die has failed. `why`: as in `died`."""
        self._deaths.update(unit.id for unit in left)
        for unit in reversed(left):
            if self._deaths[unit.id] < MOST_DEATHS:
                self._again.appendleft(unit)
            else:
                said = f"{unit.label}: its worker {why}, {MOST_DEATHS} times; look at the file, or give more memory"
                yield Outcome(unit=unit, state="failed", error=said)

    def _may_share(self, unit: Unit) -> bool:
        """Whether others may be at a worker with it; who was there when one died is tried alone, to know whose fault it is."""
        return unit.is_quick and not self._deaths[unit.id]
