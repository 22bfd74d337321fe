"""The raw values of a latency result, as arrays."""

from __future__ import annotations

import numpy as np

from segbench.plots.scale import Floats
from segbench.results.latency import Configuration


def of_processes(configuration: Configuration, stage: str) -> list[Floats]:
    """For each process its values in ms, `(n,) float64`, in the order of measurement."""
    return [np.asarray(process.values_ms[stage], np.float64) for process in configuration.processes]


def of_all(configuration: Configuration, stage: str) -> Floats:
    """The values of all processes in ms, `(n,) float64`."""
    return np.concatenate(of_processes(configuration, stage))
