"""A goal that two things measured in one run are checked against: a ratio, printed next to its bound and never enforced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioGoal:
    """`over / under`, two of the things that were timed, at most (`≤`) or at least (`≥`) `bound`."""

    over: str
    under: str
    sign: Literal["≤", "≥"]
    bound: float

    def measured(self, rounds: Sequence[Mapping[str, float]]) -> dict[str, Any]:
        """The median of the rounds' ratios, so that drift of the machine, which meets a round as a whole, falls out."""
        ratio = float(np.median([row[self.over] / row[self.under] for row in rounds]))
        met = ratio <= self.bound if self.sign == "≤" else ratio >= self.bound
        return {"name": f"{self.over} / {self.under}", "ratio": ratio, "goal": f"{self.sign} {self.bound}", "met": met}


def goal_line(row: Mapping[str, Any], width: int) -> str:
    """A line for people; `width`: of the name's column."""
    return f"  {row['name']:{width}}{row['ratio']:8.2f}     goal {row['goal']}{'' if row['met'] else '  (not met)'}"
