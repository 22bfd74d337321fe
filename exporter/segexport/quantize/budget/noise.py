"""Where an int8 file loses its signal: from the signal-to-noise ratio of every tensor to that of operators and blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from segexport.tflite.graph import Block, Operator

_AS_LITTLE_DB = 3.0
"""Above the mask's own ratio: what comes after is no better than the mask."""
CLEAN_DB = 60.0
"""Taken for a tensor without measurable noise, such as the image itself; 8 bits reach about 50 dB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorNoise:
    """The signal-to-noise ratio of an operator's output, in dB."""

    index: int
    operator: str
    name: str
    snr_db: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def operator_noise(operators: Sequence[Operator], snr: Mapping[str, float]) -> tuple[OperatorNoise, ...]:
    """In the order in which they run; operators whose output was not compared are left out."""
    return tuple(
        OperatorNoise(index=o.index, operator=o.kind, name=o.name, snr_db=round(decibels(snr[o.name]), 2))
        for o in operators
        if o.name in snr
    )


def decibels(ratio: float) -> float:
    """Power ratio → dB, within ±`CLEAN_DB`."""
    if not ratio > 0:
        return -CLEAN_DB
    return max(-CLEAN_DB, min(CLEAN_DB, 10 * math.log10(ratio)))


def block_losses(blocks: Sequence[Block], snr: Mapping[str, float]) -> dict[int, float]:
    """What each block loses by itself, in dB: the worst of its inputs against its output. Noise that came in is no loss."""
    losses = {}
    for block in blocks:
        inside = {name for operator in block.operators for name in operator.outputs}
        incoming = [decibels(snr[n]) for o in block.operators for n in o.inputs if n not in inside and n in snr]
        outgoing = decibels(snr[block.operators[-1].name]) if block.operators[-1].name in snr else CLEAN_DB
        losses[block.number] = min(incoming, default=CLEAN_DB) - outgoing
    return losses


def neighbours(blocks: Sequence[Block]) -> dict[int, frozenset[int]]:
    """For each block the blocks whose outputs it reads."""
    home = {name: block.number for block in blocks for operator in block.operators for name in operator.outputs}
    return {
        block.number: frozenset(
            home[n] for o in block.operators for n in o.inputs if home.get(n, block.number) != block.number
        )
        for block in blocks
    }


def where_lost(noise: Sequence[OperatorNoise]) -> str | None:
    """One line on the operator from which on no tensor is better than the mask; None without any ratio.

    A ratio that is low in between says nothing: the mean that a second normalisation subtracts is next to zero, and so is
    what can be lost of it.
    """
    if not noise:
        return None
    first = noise[-1]
    for one in reversed(noise):
        if one.snr_db > noise[-1].snr_db + _AS_LITTLE_DB:
            break
        first = one
    return (
        f"int8: from operator {first.index} on, {first.operator} {first.name!r}, the signal is {first.snr_db:.1f} dB over the "
        f"noise or little more, {noise[-1].snr_db:.1f} in the mask; --max-iou-drop POINTS leaves in float what needs it, and "
        "calibration pictures unlike the camera's would do this too"
    )
