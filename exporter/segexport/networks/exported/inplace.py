"""In-place operators of a graph, such as `relu_`, without writing into anything.

Needs: steps whose names are defined once. Does: `b = relu_(a)` becomes `b = relu(a)`, and from there on `a` means the new
value too. Holds after: the same numbers as with writing in place, because a graph is refused where another name looks at the
same memory (a view) and is used later, or where a weight would be written to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from segexport.errors import shown
from segexport.networks.exported.operators import INPLACE, VIEWS
from segexport.networks.exported.program import GraphStep, Program, refs_of
from segexport.networks.exported.values import GraphError, Ref


def without_writing(program: Program) -> Program:
    """The same program of pure operators.

    Raises:
        GraphError: a write that would be seen through another name.
    """
    if not any(step.target in INPLACE for step in program.steps):
        return program
    last = last_uses(program)
    memory = _Memory([*program.weights, *program.constants])
    current: dict[str, str] = {}  # name → the name that holds its value now
    steps = []
    for index, step in enumerate(program.steps):
        changed = _with_names(step, current)
        if step.target in INPLACE:
            written = _written(step)
            memory.check(written, index, last, step.label)
            changed = replace(changed, target=INPLACE[step.target])
            for name in memory.same(written):
                current[name] = step.outputs[0]
            memory.alias(step.outputs[0], written)
        elif step.target in VIEWS:
            for ref in refs_of(step):
                for name in step.outputs:
                    memory.view(name, ref.name)
        steps.append(changed)
    outputs = {path: current.get(name, name) for path, name in program.outputs.items()}
    return replace(program, steps=tuple(steps), outputs=outputs)


def last_uses(program: Program) -> dict[str, int]:
    """Name → index of the last step that uses it; the outputs are used after all of them."""
    last = {ref.name: index for index, step in enumerate(program.steps) for ref in refs_of(step)}
    return last | dict.fromkeys(program.outputs.values(), len(program.steps))


class _Memory:
    """Which names may look at the same memory: `same` ones are one tensor, a `view` shows a part or another shape."""

    def __init__(self, weights: Iterable[str]) -> None:
        self.weights = frozenset(weights)
        self.groups: dict[str, set[str]] = {}
        self.tensors: dict[str, set[str]] = {}

    def same(self, name: str) -> set[str]:
        return self.tensors.setdefault(name, {name})

    def alias(self, name: str, other: str) -> None:
        self.view(name, other)
        self.tensors[name] = self.same(other)
        self.tensors[name].add(name)

    def view(self, name: str, other: str) -> None:
        """One group for both; the smaller is taken into the larger, so that long chains stay cheap."""
        small, large = sorted((self._group(name), self._group(other)), key=len)
        if small is not large:
            large |= small
            for member in small:
                self.groups[member] = large

    def _group(self, name: str) -> set[str]:
        return self.groups.setdefault(name, {name})

    def check(self, written: str, index: int, last: dict[str, int], label: str) -> None:
        group = self._group(written)
        if group & self.weights:
            raise GraphError(f"{label}: writes into a weight; call eval() on the network and export it again")
        seen = next((name for name in group - self.same(written) if last.get(name, -1) > index), None)
        if seen is not None:
            raise GraphError(
                f"{label}: writes in place what {shown(seen)} shows too; write it without inplace=True and export it again"
            )


def _written(step: GraphStep) -> str:
    first = step.args[0] if step.args else None
    if not isinstance(first, Ref):
        raise GraphError(f"{step.label}: writes into something that is no value")
    return first.name


def _with_names(step: GraphStep, current: dict[str, str]) -> GraphStep:
    def moved(value: Any) -> Any:
        if isinstance(value, list):
            return [moved(item) for item in value]
        return Ref(current.get(value.name, value.name)) if isinstance(value, Ref) else value

    return replace(
        step, args=tuple(map(moved, step.args)), kwargs={key: moved(value) for key, value in step.kwargs.items()}
    )
