"""What several processes found → one profile: a time with its error for each part, each kind, each place, and the whole.

A process counts with its median over the rounds. The time is the mean of those medians, its error half of Student's 95 %
interval: what changes from process to process (memory layout, what else ran) is in it, what is the same in all is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from segbench.errors import ProfileError
from segbench.statistics.student import t_quantile

_CONFIDENCE = 0.95
RESOLUTION_MS = {"tflite": 0.0, "onnx": 1e-3}  # onnxruntime's profiler gives whole microseconds

Taken = dict[str, Any]  # of segbench.profile.part, as JSON


def combine(processes: Sequence[Taken], backend: str) -> dict[str, Any]:
    """`parts`, `kinds`, `places`, `whole`, `profiled`, `prefixes`, `sum_ms`, `sum_to_whole` and `unpacking` of the result.

    Raises:
        ProfileError: the processes took the model apart in different ways.
    """
    processes = _aligned(processes)
    first = processes[0]
    medians = np.array([[np.median(part["values_ms"]) for part in one["parts"]] for one in processes])
    whole = _estimate(_medians(processes, "whole_ms"), 0.0)
    total = float(medians.mean(axis=0).sum())
    parts = [
        {
            **{key: part[key] for key in ("kind", "name", "shape", "place", "operators")},
            **_estimate(medians[:, k], RESOLUTION_MS[backend]),
            "share": float(medians[:, k].mean()) / total,
            "values_ms": [one["parts"][k]["values_ms"] for one in processes],
        }
        for k, part in enumerate(first["parts"])
    ]
    return {
        "clock": first["clock"],
        "unpacking": first["unpacking"],
        "parts": parts,
        "kinds": _grouped(parts, medians, "kind", RESOLUTION_MS[backend]),
        "places": _grouped(parts, medians, "place", RESOLUTION_MS[backend]),
        "sum_ms": total,
        "sum_to_whole": total / whole["ms"],
        "whole": {**whole, "values_ms": [one["whole_ms"] for one in processes]},
        "profiled": _profiled(processes, whole["ms"]),
        "prefixes": _prefixes(processes, medians, whole["ms"]),
    }


def _aligned(processes: Sequence[Taken]) -> list[Taken]:
    """With the parts of all in the order of the first: onnxruntime runs nodes that do not wait for one another in any order."""
    wanted = _keys(processes[0])
    found = []
    for one in processes:
        parts = dict(zip(_keys(one), one["parts"], strict=True))
        if parts.keys() != set(wanted):
            raise ProfileError(
                "the library took the model apart differently from one process to the next; profile it again"
            )
        found.append({**one, "parts": [parts[key] for key in wanted]})
    return found


def _keys(process: Taken) -> list[tuple[Any, ...]]:
    """What each part is, and how many like it came before."""
    seen: Counter[tuple[Any, ...]] = Counter()
    keys: list[tuple[Any, ...]] = []
    for part in process["parts"]:
        what = part["kind"], part["name"], tuple(part["shape"]), part["place"]
        keys.append((*what, seen[what]))
        seen[what] += 1
    return keys


def _estimate(medians: npt.NDArray[np.float64], resolution_ms: float) -> dict[str, Any]:
    """`ms` and `error_ms`, None where one process alone tells nothing of it."""
    n = len(medians)
    error = None
    if n > 1:
        error = t_quantile((1 + _CONFIDENCE) / 2, n - 1) * float(medians.std(ddof=1)) / float(np.sqrt(n))
        error = max(error, resolution_ms / 2)
    return {"ms": float(medians.mean()), "error_ms": error}


def _grouped(
    parts: Sequence[dict[str, Any]], medians: npt.NDArray[np.float64], key: str, resolution_ms: float
) -> list[dict[str, Any]]:
    """Parts that are alike in `key` as one, the longest first."""
    found = []
    for name in dict.fromkeys(part[key] for part in parts):
        members = [k for k, part in enumerate(parts) if part[key] == name]
        found.append(
            {
                key: name,
                "operators": sum(parts[k]["operators"] for k in members),
                **_estimate(medians[:, members].sum(axis=1), resolution_ms),
                "share": sum(parts[k]["share"] for k in members),
            }
        )
    return sorted(found, key=lambda one: -one["ms"])


def _profiled(processes: Sequence[Taken], whole_ms: float) -> dict[str, Any] | None:
    """The whole while a profiler watches it: `overhead` is how many times as long that takes."""
    if processes[0]["profiled_ms"] is None:
        return None
    found = _estimate(_medians(processes, "profiled_ms"), 0.0)
    values = [one["profiled_ms"] for one in processes]
    return {**found, "overhead": found["ms"] / whole_ms, "values_ms": values}


def _prefixes(processes: Sequence[Taken], medians: npt.NDArray[np.float64], whole_ms: float) -> list[dict[str, Any]]:
    """Next to each prefix what its parts come to, and how far apart these are in shares of the whole."""
    found = []
    for k, prefix in enumerate(processes[0]["prefixes"]):
        own = np.array([np.median(one["prefixes"][k]["values_ms"]) for one in processes])
        parts_ms = float(medians[:, : prefix["parts"]].mean(axis=0).sum())
        found.append(
            {
                "parts": prefix["parts"],
                **_estimate(own, 0.0),
                "parts_ms": parts_ms,
                "apart": (parts_ms - float(own.mean())) / whole_ms,
                "values_ms": [one["prefixes"][k]["values_ms"] for one in processes],
            }
        )
    return found


def _medians(processes: Sequence[Taken], key: str) -> npt.NDArray[np.float64]:
    return np.array([np.median(one[key]) for one in processes])
