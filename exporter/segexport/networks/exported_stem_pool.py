"""Max pools that pad with minus infinity, which poisons int8 ranges, pad with zeros where that is the same.

Needs: the pool's input comes straight out of an operator whose values are never below zero, such as a ReLU. Does: the pool
becomes a zero padding and a pool without padding. Holds after: the same numbers, bit for bit, as in `stem_pool`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from segexport.networks.exported_operators import NON_NEGATIVE
from segexport.networks.exported_program import Program, Step
from segexport.networks.exported_values import Ref

POOL = "max_pool2d.default"


def with_zero_padded_pools(program: Program) -> Program:
    """The same program; pools over anything that may be negative stay as they are."""
    makers = {name: step.target for step in program.steps for name in step.outputs}
    return replace(program, steps=tuple(new for step in program.steps for new in _replaced(step, makers)))


def _replaced(step: Step, makers: dict[str, str]) -> Iterator[Step]:
    if step.target == POOL:
        image, kernel, stride, padding, dilation, ceil_mode = step.args
        pads = _pair(padding)
        if isinstance(image, Ref) and makers.get(image.name) in NON_NEGATIVE and pads and any(pads) and not ceil_mode:
            name = f"{step.outputs[0]} padded"
            sides = [pads[1], pads[1], pads[0], pads[0]]
            yield replace(step, target="constant_pad_nd.default", args=(image, sides, 0.0), outputs=(name,))
            yield replace(step, args=(Ref(name), kernel, stride, [0, 0], dilation, False))
            return
    yield step


def _pair(value: Any) -> list[int] | None:
    if isinstance(value, list) and 1 <= len(value) <= 2 and all(type(item) is int and item >= 0 for item in value):
        return value * 2 if len(value) == 1 else value
    return None
