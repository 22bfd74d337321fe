"""Raw values → what is drawn of them: an outline that shows several modes, and where each process lies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segbench.plots.scale import Floats, Scale

MOST_LANES = 24
_FINEST, _COARSEST = 240, 24  # bins over the whole axis
_COLUMNS = 600  # ticks nearer than this share of the axis are one


def outline(processes: Sequence[Floats], scale: Scale) -> tuple[Floats, Floats]:
    """The corners of a histogram of all processes within `scale`: `(n,)` in ms, `(n,)` from 0 to 1, its own highest bin.

    Begins and ends at 0. Bins are equally wide as drawn, also on a logarithmic axis.
    Their width is that of Freedman & Diaconis (1981), 2 IQR / n^(1/3), with the IQR that is typical within a process, within
    1/240 and 1/24 of the axis. Nothing is smoothed, so that two modes stay two.
    """
    each = [scale.drawn(values) for values in processes]
    placed = np.concatenate(each)
    within = [float(np.subtract(*np.percentile(values, (75, 25)))) for values in each]
    width = 2 * float(np.median(within)) / len(placed) ** (1 / 3)
    bins = int(np.clip(1 / width, _COARSEST, _FINEST)) if width > 0 else _FINEST
    counts, shares = np.histogram(placed, bins=bins, range=(0.0, 1.0))
    edges = scale.low + shares * (scale.high - scale.low)
    if scale.is_log:
        edges = scale.low * (scale.high / scale.low) ** shares
    heights = np.concatenate([[0.0], counts / max(1, int(counts.max())), [0.0]])
    steps = np.flatnonzero(np.diff(heights))  # corners only where it changes: most bins are as empty as the one before
    return np.repeat(edges[steps], 2), np.stack([heights[steps], heights[steps + 1]], axis=1).ravel()


def lanes(processes: Sequence[Floats], most: int = MOST_LANES) -> list[Floats]:
    """The values of each process in the order of measurement; neighbours share a lane where there are more than `most`."""
    if len(processes) <= most:
        return list(processes)
    return [np.concatenate(processes[part[0] : part[-1] + 1]) for part in np.array_split(range(len(processes)), most)]


def ticks(values_ms: Floats, scale: Scale) -> Floats:
    """Where a value lies within the axis, each place once, in ms, ascending."""
    placed = scale.drawn(values_ms)
    inside = values_ms[(placed >= 0) & (placed <= 1)]
    _, first = np.unique(np.round(scale.drawn(inside) * _COLUMNS), return_index=True)
    found: Floats = np.sort(inside[first])
    return found


def beyond(values_ms: Floats, scale: Scale) -> int:
    """How many values lie after the end of the axis."""
    return int(np.count_nonzero(values_ms > scale.high))
