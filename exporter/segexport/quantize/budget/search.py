"""Which blocks have to stay in float so that an int8 file keeps its accuracy budget.

A tensor between two operators is held in int8 as soon as one of them is int8, so one operator alone in float seldom
helps: what is tried are whole blocks together with the blocks that feed them. In this order, each measured:

1. everything in int8
2. the last block, the last two: small convolutions whose error goes straight into the mask
3. the block that loses most signal by itself, with the blocks that feed it; then the next one, as the new file shows it; …
   as long as the budget can be reached at this pace
4. an eighth of the network after the other, from the image on: what each of them costs; then those that cost most together

The first that holds the budget ends it; then parts of it are given back to int8 while the budget still holds. The last that
is tried is everything in float between the byte ends, so that something holds wherever the float32 file itself would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

from segexport.errors import plural
from segexport.quantize.budget.judge import Score
from segexport.quantize.budget.noise import neighbours
from segexport.tflite.graph import Block

MOST_STEPS = 32
MOST_GIVING_BACK = 6
MOST_PEELED = 8
LEAST_LOSS_DB = 1.0
MOST_PEELED_WEIGHTS = 0.5
"""Of the weights: beyond it single blocks are no longer what hurts."""
PARTS = 8

Chosen: TypeAlias = frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One quantization: the blocks that stayed in float, and what was measured."""

    number: int
    what: str
    blocks: Chosen
    score: Score
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All steps in order; `best` holds the budget with the fewest blocks in float, or came nearest where none does."""

    steps: tuple[Step, ...]
    best: Step
    interrupted: bool = False


class _Enough(Exception):  # noqa: N818  no error: the budget of steps is spent
    pass


@dataclass(slots=True, kw_only=True)
class _Search:
    blocks: Sequence[Block]
    attempt: Callable[[int, str, Chosen], Score]
    points: float
    shown: Callable[[Step, Step], None]
    steps: list[Step] = field(default_factory=list)

    def try_(self, chosen: Chosen, what: str) -> Step:
        """Quantize and measure, or what was measured before."""
        before = next((step for step in self.steps if step.blocks == chosen), None)
        if before is not None:
            return before
        if len(self.steps) >= MOST_STEPS:
            raise _Enough
        number = len(self.steps) + 1
        score = self.attempt(number, what, chosen)
        step = Step(number=number, what=what, blocks=chosen, score=score, holds=score.drop_points <= self.points)
        self.steps.append(step)
        self.shown(step, self.best())
        return step

    def best(self) -> Step:
        held = [step for step in self.steps if step.holds]
        if held:
            return min(held, key=lambda step: (len(step.blocks), step.score.size_bytes, step.score.drop_points))
        return min(self.steps, key=lambda step: step.score.drop_points)

    def share(self, chosen: Chosen) -> float:
        """Of all weights, those that stay in float."""
        whole = sum(block.weight_bytes for block in self.blocks)
        return sum(self.blocks[k].weight_bytes for k in chosen) / max(1, whole)


def search(
    blocks: Sequence[Block],
    losses: Callable[[Step], Mapping[int, float]],
    attempt: Callable[[int, str, Chosen], Score],
    points: float,
    shown: Callable[[Step, Step], None],
) -> Outcome:
    """Find what has to stay in float.

    Args:
        blocks: of the float32 file, in order.
        losses: a step → block number → signal that the block loses by itself in that step's file, in dB. Asked for the
            first step and the latest one, and only where full int8 is over budget.
        attempt: (step number, what it is, blocks in float) → what was measured of that file.
        points: the budget, IoU points (0–100) that may be lost.
        shown: is told every step, and the best so far.

    Returns:
        Also where it was interrupted (KeyboardInterrupt), provided that one step was finished.
    """
    state = _Search(blocks=blocks, attempt=attempt, points=points, shown=shown)
    interrupted = False
    try:
        plain = state.try_(frozenset(), "everything in int8")
        if not plain.holds:
            _give_back(state, *_widen(state, losses(plain), losses))
    except _Enough:
        pass
    except KeyboardInterrupt:
        if not state.steps:
            raise
        interrupted = True
    return Outcome(steps=tuple(state.steps), best=state.best(), interrupted=interrupted)


def _widen(
    state: _Search, plain_losses: Mapping[int, float], losses: Callable[[Step], Mapping[int, float]]
) -> tuple[list[int], int]:
    """Ends with what holds; the order in which its blocks may go back to int8, and how many at once."""
    count = len(state.blocks)
    for size in (1, 2):
        if state.try_(_last(count, min(size, count)), _last_words(size)).holds:
            return list(range(count)), 1
    start = state.best()  # with the last blocks, where that helped
    if _peel(state, start, plain_losses, losses):
        return list(range(count)), len(state.best().blocks) // 2
    return _part_by_part(state, start), max(1, count // PARTS // 2)  # no whole part: it costs too much


def _peel(
    state: _Search, start: Step, found: Mapping[int, float], losses: Callable[[Step], Mapping[int, float]]
) -> bool:
    """Block after block, always the one that loses most in the file of the step before; whether that holds the budget."""
    feeders = neighbours(state.blocks)
    chosen = start.blocks
    for peeled in range(1, MOST_PEELED + 1):
        worst = max((k for k in found if k not in chosen), key=lambda k: found[k], default=None)
        if worst is None or found[worst] < LEAST_LOSS_DB:
            return False
        chosen |= {worst, *feeders[worst]}
        if state.share(chosen) > MOST_PEELED_WEIGHTS:
            return False
        step = state.try_(chosen, f"block {worst + 1} (loses {found[worst]:.0f} dB) and what feeds it in float too")
        if step.holds:
            return True
        gained, needed = start.score.drop_points - step.score.drop_points, start.score.drop_points - state.points
        if gained * MOST_PEELED < needed * (
            peeled - 1
        ):  # at this pace no `MOST_PEELED` blocks are enough; one may fail
            return False
        found = losses(step)
    return False


def _part_by_part(state: _Search, start: Step) -> list[int]:
    """What each part costs, from the image on with all before it in float; then the costliest together.

    Next to `start`'s blocks, and with the blocks that feed them.
    Losses behave like the width of an error: their squares add up, as far as the parts' errors know nothing of each other.

    Returns:
        What is in float next to those parts, then the blocks of the parts, that which costs least first.
    """
    parts, feeders = _parts(len(state.blocks)), neighbours(state.blocks)
    squares, costs = [start.score.drop_points**2], []
    for count in range(1, len(parts) + 1):
        chosen = start.blocks | _union(parts[:count])
        step = state.try_(chosen, _first_words(parts[count - 1][-1] + 1, start.blocks, len(state.blocks)))
        squares.append(max(0.0, step.score.drop_points) ** 2)
        costs.append(squares[-2] - squares[-1])
        if step.holds:
            break
    else:  # not even everything in float
        return []
    ranked = sorted(range(len(costs)), key=lambda k: -costs[k])
    for count in range(1, len(ranked)):
        left = squares[-1] + sum(costs[k] for k in ranked[count:])
        if left <= state.points**2:
            taken = _union([parts[k] for k in ranked[:count]])
            chosen = start.blocks | taken.union(*(feeders[block] for block in taken))
            words = f"the {count} of {len(parts)} parts that cost most, and what feeds them, in float"
            if state.try_(chosen, words).holds:
                break
    cheapest_first = [block for k in reversed(ranked) for block in parts[k]]
    return [*sorted(state.best().blocks - {*cheapest_first}), *cheapest_first]


def _parts(count: int) -> list[range]:
    """Blocks 0 to `count`, in as many parts as there are, of about the same number."""
    edges = [round(k * count / min(PARTS, count)) for k in range(min(PARTS, count) + 1)]
    return [range(a, b) for a, b in pairwise(edges)]


def _first_words(size: int, end: Chosen, count: int) -> str:
    if len(end | frozenset(range(size))) == count:
        return "everything in float"
    last = f" and the last {'one' if len(end) == 1 else len(end)}" if end else ""
    return f"the first {plural(size, 'block')}{last} in float"


def _union(parts: Sequence[range]) -> Chosen:
    return frozenset(block for part in parts for block in part)


def _give_back(state: _Search, order: Sequence[int], at_once: int) -> None:
    """So many of what is in float, half as many, … go back to int8 as long as the budget holds."""
    left = MOST_GIVING_BACK
    best = state.best()
    size = at_once
    while best.holds and size > 0 and left > 0:
        numbers = [block for block in order if block in best.blocks]
        for start in range(0, len(numbers), size):
            fewer = best.blocks - frozenset(numbers[start : start + size])
            known = any(step.blocks == fewer for step in state.steps)
            if not fewer or left == 0:
                continue
            left -= not known
            step = state.try_(fewer, f"{len(numbers) - len(fewer)} of these blocks back in int8")
            if step.holds:
                best = step
                break
        else:
            size //= 2
        size = min(size, len(best.blocks) // 2)


def _last_words(size: int) -> str:
    return f"the last {'block' if size == 1 else f'{size} blocks'} in float"


def _last(count: int, size: int) -> Chosen:
    return frozenset(range(max(0, count - size), count))
