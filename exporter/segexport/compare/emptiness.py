"""A file whose masks are nobody's: a comparison would only say that it is far off, this says how it looks."""

from __future__ import annotations

import numpy as np

from segexport.compare.comparison import FileMasks
from segexport.compare.reference import ALMOST_NONE, THRESHOLD, Reference

_SOME = 0.01  # of the pixels: below that, a reference's mask is hardly fuller than an empty one


def emptiness(ran: FileMasks, reference: Reference) -> str | None:
    """One line where the file gives NaN, or nobody or everything on every picture and the reference does not; else None."""
    count, who = len(ran.masks), reference.who
    broken = int((~np.isfinite(ran.masks)).any(axis=(1, 2)).sum())
    if broken:
        return (
            f"{ran.name}: gives NaN or infinite values on {broken} of {count} pictures, {who} none; a value on the way "
            "overflows (float16 ends at 65504) or is divided by zero: look at divisions, exponentials and variances, "
            "or leave this precision out"
        )
    shares = (ran.masks > THRESHOLD).mean(axis=(1, 2))
    wanted = (reference.masks[list(ran.places)] > THRESHOLD).mean(axis=(1, 2))
    if shares.max() < ALMOST_NONE and wanted.max() > _SOME:
        found = "finds nobody"
    elif shares.min() > 1 - ALMOST_NONE and wanted.min() < 1 - _SOME:
        found = "takes everything for the person"
    else:
        return None
    seen = "the one picture" if count == 1 else f"all {count} pictures"
    return (
        f"{ran.name}: {found} on {seen}, where {who}'s masks hold {wanted.mean():.0%} of the pixels; "
        "look at the ranges of its last layers and at the operators that the report calls noisy, or leave this precision out"
    )
