"""Operators that stay in float in every int8 and int16x8 file, because integers would cost masks and time there.

A division, a square root and the sums of squares before them lose what they are made for: 8 bits hold a variance near zero as
zero. A product of two activations, as in attention, comes out of LiteRT's int8 kernel wrong. And what of these XNNPACK does
not compute in integers runs on LiteRT's plain kernels: a float one between two conversions, which XNNPACK takes with its
neighbours, gives the same mask up to five times as fast (docs/precision.md has the measurements).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segexport.tflite.graph import Operator

ROOTS = frozenset({"DIV", "SQRT", "RSQRT"})
ALONE = frozenset({"BATCH_MATMUL", "GELU", "HARD_SWISH", "RELU", "SOFTMAX"})
_BEFORE = frozenset(
    {"MEAN", "SUM", "SUB", "SQUARED_DIFFERENCE", "SQRT", "RSQRT", "DIV", "EXP", "ABS", "NEG", "SIGN"}
)  # belong to what they feed
_SCALING = frozenset({"ADD", "MUL"})  # belong to it where their other operand is a constant or the same tensor
_SHAPING = frozenset({"RESHAPE", "TRANSPOSE"})  # belong to it where they stand between two that do


def delicate(operators: Sequence[Operator]) -> tuple[str, ...]:
    """The names of such operators, in order: normalisations whole, from their mean to their scale and shift."""
    makers = {name: operator for operator in operators for name in operator.outputs}
    found: dict[str, Operator] = {}
    for operator in operators:
        if operator.kind in ROOTS:
            _take(operator, makers, found)
    for operator in operators:  # in the order in which they run: what only feeds on those comes after them
        if operator.kind in _SCALING and operator.inputs and all(_is_in(n, makers, found) for n in operator.inputs):
            found[operator.name] = operator
    return tuple(o.name for o in operators if o.name in found or o.kind in ALONE)


def _take(operator: Operator, makers: Mapping[str, Operator], found: dict[str, Operator]) -> None:
    """`operator` and what belongs to it of all that it is computed from."""
    waiting = [operator]
    while waiting:
        one = waiting.pop()
        if one.name in found:
            continue
        found[one.name] = one
        feeding = [makers[name] for name in one.inputs if name in makers]
        waiting += [other for other in feeding if _belongs(other, makers)]


def _belongs(operator: Operator, makers: Mapping[str, Operator]) -> bool:
    if operator.kind in _SHAPING:
        source = makers.get(operator.inputs[0]) if operator.inputs else None
        return source is not None and source.kind not in _SHAPING and _belongs(source, makers)
    return operator.kind in _BEFORE or (operator.kind in _SCALING and len(set(operator.inputs)) == 1)


def _is_in(name: str, makers: Mapping[str, Operator], found: Mapping[str, Operator]) -> bool:
    return name in makers and makers[name].name in found
