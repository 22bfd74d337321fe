"""Which blocks have to stay in float so that an int8 file keeps its accuracy budget.

A tensor between two operators is held in int8 as soon as one of them is int8, so one operator alone in float seldom
helps: what is tried are whole blocks together with the blocks that feed them. In this order, each measured:

1. everything in int8
2. the last block, the last two: small convolutions whose error goes straight into the mask
3. the block that loses most signal by itself, with the blocks that feed it; then the next one, as the new file shows it; …
4. what helped, together, the best first
5. the noisiest blocks, as many as nine tenths of the weights allow; where that holds, by halves down to as few as hold

The first that holds the budget ends it; then parts of it are given back to int8 while the budget still holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from segexport.budget.judge import Score
from segexport.budget.noise import neighbours
from segexport.tflite_graph import Block

MOST_STEPS = 32
MOST_GIVING_BACK = 6
MOST_PEELED = 8
LEAST_LOSS_DB = 1.0
MOST_PEELED_WEIGHTS = 0.5
"""Of the weights: beyond it single blocks are no longer what hurts."""
MOST_FLOAT_WEIGHTS = 0.9
"""Of the weights: beyond it there is nothing of int8 about a file."""

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
            _widen(state, losses(plain), losses)
            _give_back(state)
    except _Enough:
        pass
    except KeyboardInterrupt:
        if not state.steps:
            raise
        interrupted = True
    return Outcome(steps=tuple(state.steps), best=state.best(), interrupted=interrupted)


def _widen(state: _Search, plain_losses: Mapping[int, float], losses: Callable[[Step], Mapping[int, float]]) -> None:
    count = len(state.blocks)
    for size in (1, 2):
        if state.try_(_last(count, min(size, count)), _last_words(size)).holds:
            return
    if _peel(state, plain_losses, losses):
        return
    for chosen, what in _together(state, state.steps[1:]):
        if state.share(chosen) <= MOST_PEELED_WEIGHTS and state.try_(chosen, what).holds:
            return
    _halve(state, _noisiest(state, plain_losses))


def _peel(state: _Search, found: Mapping[int, float], losses: Callable[[Step], Mapping[int, float]]) -> bool:
    """Block after block, always the one that loses most in the file of the step before; whether that holds the budget."""
    feeders = neighbours(state.blocks)
    chosen: Chosen = frozenset()
    for _ in range(MOST_PEELED):
        worst = max((k for k in found if k not in chosen), key=lambda k: found[k], default=None)
        if worst is None or found[worst] < LEAST_LOSS_DB:
            return False
        chosen |= {worst, *feeders[worst]}
        if state.share(chosen) > MOST_PEELED_WEIGHTS:
            return False
        step = state.try_(chosen, f"block {worst + 1} (loses {found[worst]:.0f} dB) and what feeds it in float too")
        if step.holds:
            return True
        found = losses(step)
    return False


def _together(state: _Search, tried: Sequence[Step]) -> Iterator[tuple[Chosen, str]]:
    base = state.steps[0].score.drop_points
    helped = sorted((s for s in tried if s.score.drop_points < base), key=lambda s: s.score.drop_points)
    union: Chosen = frozenset()
    for count, step in enumerate(helped, 1):
        union |= step.blocks
        if count > 1:
            yield union, f"the {count} that helped most, together"


def _noisiest(state: _Search, losses: Mapping[int, float]) -> list[int]:
    """Blocks, what loses most first, as many as the weights allow; those that say nothing from the output on."""
    chosen: list[int] = []
    for block in sorted(range(len(state.blocks)), key=lambda k: (-losses.get(k, 0.0), -k)):
        if state.share(frozenset((*chosen, block))) <= MOST_FLOAT_WEIGHTS:
            chosen.append(block)
    return chosen


def _halve(state: _Search, noisiest: Sequence[int]) -> None:
    """All of them; where that holds, half as many, and so on, between what holds and what does not."""
    least, most = 0, len(noisiest)
    if not most or not state.try_(frozenset(noisiest), _noisy_words(most)).holds:
        return
    while most - least > 1:
        middle = (least + most) // 2
        if state.try_(frozenset(noisiest[:middle]), _noisy_words(middle)).holds:
            most = middle
        else:
            least = middle


def _noisy_words(count: int) -> str:
    return f"the {count} noisiest blocks in float"


def _give_back(state: _Search) -> None:
    """Halves, quarters, … of what is in float go back to int8 as long as the budget holds."""
    left = MOST_GIVING_BACK
    best = state.best()
    size = len(best.blocks) // 2
    while best.holds and size > 0 and left > 0:
        numbers = sorted(best.blocks)
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
