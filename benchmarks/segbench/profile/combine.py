"""What several processes found → one profile: a time with its error for each part, each kind, each place, and the whole.

A process counts with its median over the rounds. The time is the mean of those medians, its error half of Student's 95 %
interval: what changes from process to process (memory layout, what else ran) is in it, what is the same in all is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from segbench.errors import ProfileError
from segbench.profile.part import Taken
from segbench.profile.result import Estimate, GroupTime, PartTime, PrefixTime, Profile, WholeTime
from segbench.statistics.student import t_quantile

_CONFIDENCE = 0.95
RESOLUTION_MS = {"tflite": 0.0, "onnx": 1e-3}  # onnxruntime's profiler gives whole microseconds

Floats = npt.NDArray[np.float64]
_Key = tuple[str, str, tuple[int, ...], str, int]


def combine(processes: Sequence[Taken], backend: str) -> Profile:
    """
    Raises:
        ProfileError: the processes took the model apart in different ways.
    """
    processes = _aligned(processes)
    first, resolution_ms = processes[0], RESOLUTION_MS[backend]
    medians = np.array([[np.median(part.values_ms) for part in one.parts] for one in processes])
    whole = _estimate(_medians([one.whole_ms for one in processes]), 0.0)
    total = float(medians.mean(axis=0).sum())
    parts = tuple(
        PartTime(
            kind=part.kind,
            name=part.name,
            shape=part.shape,
            place=part.place,
            operators=part.operators,
            time=_estimate(medians[:, k], resolution_ms),
            share=float(medians[:, k].mean()) / total,
            values_ms=[one.parts[k].values_ms for one in processes],
        )
        for k, part in enumerate(first.parts)
    )
    return Profile(
        clock=first.clock,
        unpacking=first.unpacking,
        parts=parts,
        kinds=_grouped(parts, medians, "kind", resolution_ms),
        places=_grouped(parts, medians, "place", resolution_ms),
        sum_ms=total,
        sum_to_whole=total / whole.ms,
        whole=WholeTime(time=whole, values_ms=[one.whole_ms for one in processes]),
        profiled=_profiled(processes, whole.ms),
        prefixes=_prefixes(processes, medians, whole.ms),
    )


def _aligned(processes: Sequence[Taken]) -> list[Taken]:
    """With the parts of all in the order of the first: onnxruntime runs nodes that do not wait for one another in any order."""
    wanted = _keys(processes[0])
    found = []
    for one in processes:
        parts = dict(zip(_keys(one), one.parts, strict=True))
        if parts.keys() != set(wanted):
            raise ProfileError(
                "the library took the model apart differently from one process to the next; profile it again"
            )
        found.append(replace(one, parts=tuple(parts[key] for key in wanted)))
    return found


def _keys(process: Taken) -> list[_Key]:
    """What each part is, and how many like it came before."""
    seen: Counter[tuple[str, str, tuple[int, ...], str]] = Counter()
    keys = []
    for part in process.parts:
        what = part.kind, part.name, part.shape, part.place
        keys.append((*what, seen[what]))
        seen[what] += 1
    return keys


def _estimate(medians: Floats, resolution_ms: float) -> Estimate:
    n = len(medians)
    error = None
    if n > 1:
        error = t_quantile((1 + _CONFIDENCE) / 2, n - 1) * float(medians.std(ddof=1)) / float(np.sqrt(n))
        error = max(error, resolution_ms / 2)
    return Estimate(ms=float(medians.mean()), error_ms=error)


def _grouped(
    parts: Sequence[PartTime], medians: Floats, key: Literal["kind", "place"], resolution_ms: float
) -> tuple[GroupTime, ...]:
    """Parts that are alike in `key` as one, the longest first."""
    names = [getattr(part, key) for part in parts]
    found = []
    for name in dict.fromkeys(names):
        members = [k for k, other in enumerate(names) if other == name]
        found.append(
            GroupTime(
                name=name,
                operators=sum(parts[k].operators for k in members),
                time=_estimate(medians[:, members].sum(axis=1), resolution_ms),
                share=sum(parts[k].share for k in members),
            )
        )
    return tuple(sorted(found, key=lambda one: -one.time.ms))


def _profiled(processes: Sequence[Taken], whole_ms: float) -> WholeTime | None:
    """The whole while a profiler watches it."""
    values = [one.profiled_ms for one in processes if one.profiled_ms is not None]
    if not values:
        return None
    time = _estimate(_medians(values), 0.0)
    return WholeTime(time=time, overhead=time.ms / whole_ms, values_ms=values)


def _prefixes(processes: Sequence[Taken], medians: Floats, whole_ms: float) -> tuple[PrefixTime, ...]:
    found = []
    for k, prefix in enumerate(processes[0].prefixes):
        values = [one.prefixes[k].values_ms for one in processes]
        time = _estimate(_medians(values), 0.0)
        parts_ms = float(medians[:, : prefix.parts].mean(axis=0).sum())
        apart = (parts_ms - time.ms) / whole_ms
        found.append(PrefixTime(parts=prefix.parts, time=time, parts_ms=parts_ms, apart=apart, values_ms=values))
    return tuple(found)


def _medians(values_ms: Sequence[Sequence[float]]) -> Floats:
    return np.array([np.median(one) for one in values_ms])
