"""At which operator an int8 file loses the picture: what to say where its masks are not the network's."""

from __future__ import annotations

from collections.abc import Sequence

from segexport.quantize.budget.noise import OperatorNoise

_AS_LITTLE_DB = 3.0
"""Above the mask's own ratio: what comes after is no better than the mask."""


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
