"""What the scripts share: `--json` with the machine, refusals in one line, and goals next to what was measured."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np

Result = dict[str, Any]
sys.path.append(str(Path(__file__).resolve().parents[1]))  # for `peers`, where it is not installed from this checkout


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioGoal:
    """`over / under`, two of the things that were timed, at most (`≤`) or at least (`≥`) `bound`; printed, never enforced."""

    over: str
    under: str
    sign: Literal["≤", "≥"]
    bound: float

    def measured(self, rounds: Sequence[Mapping[str, float]]) -> Result:
        """The median of the rounds' ratios, so that drift of the machine, which meets a round as a whole, falls out."""
        ratio = float(np.median([row[self.over] / row[self.under] for row in rounds]))
        met = ratio <= self.bound if self.sign == "≤" else ratio >= self.bound
        return {"name": f"{self.over} / {self.under}", "ratio": ratio, "goal": f"{self.sign} {self.bound}", "met": met}


def goal_line(row: Mapping[str, Any], width: int) -> str:
    """A line for people; `width`: of the name's column."""
    return f"  {row['name']:{width}}{row['ratio']:8.2f}     goal {row['goal']}{not_met(row)}"


def not_met(row: Mapping[str, Any]) -> str:
    """For the end of a line, of what has a goal."""
    return "" if row["met"] else "  (not met)"


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of everything that was timed in each of the rounds."""
    return {name: float(np.median([row[name] for row in rounds])) for name in rounds[0]}


def claim(
    show: Callable[[Result], None], wrong: Callable[[Result], str | None] = lambda _: None
) -> Callable[[Callable[..., Result]], click.Command]:
    """Makes a command of what measures something; beneath it stand the options of click.

    Args:
        show: prints the result for people; with `--json` it is printed for machines instead, and the machine with it.
        wrong: why a result that was shown means nothing, which ends the command with 1; None where it does.
    """

    def command(measure: Callable[..., Result]) -> click.Command:
        @functools.wraps(measure)
        def run(as_json: bool, **options: Any) -> None:
            # imported late: what starts the runtime in a process of its own times that too
            from segbench.errors import SegBenchError
            from segbench.machine.describe import describe_machine
            from segruntime import SegRuntimeError

            try:
                result = measure(**options)
            except (SegBenchError, SegRuntimeError) as error:
                raise _end(" ".join(str(error).split())) from error
            if as_json:
                print(json.dumps({"machine": describe_machine().to_json(), **result}, indent=1, allow_nan=False))
            else:
                show(result)
            problem = wrong(result)
            if problem is not None:
                raise _end(problem)

        return click.command()(click.option("--json", "as_json", is_flag=True, help="For machines.")(run))

    return command


def _end(text: str) -> SystemExit:
    return SystemExit(f"{Path(sys.argv[0]).stem}: {text}")
