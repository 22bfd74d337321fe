"""A small result of version 2, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from segbench.stability import stability
from segbench.summary import summarize


def a_process(**values_ms: list[float]) -> dict[str, Any]:
    return {
        "load_ms": 12.5,
        "first_mask_ms": 9.0,
        "import_ms": 80.0,
        "baseline_memory_bytes": 50_000_000,
        "peak_memory_bytes": 90_000_000,
        "values_ms": values_ms,
        "late_frames": None,
        "warnings": [],
    }


def a_configuration(name: str, processes: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    every = {stage: [one["values_ms"][stage] for one in processes] for stage in processes[0]["values_ms"]}
    model = {"path": f"models/{name}", "name": name, "size_bytes": 2_000_000, "sha256": "ab" * 32, "precision": "int8"}
    return {
        "name": name,
        "model": {**model, "architecture": "unet", "input": [1, 256, 256, 3], "contract": {"version": 1}},
        "backend": "tflite",
        "library": "ai_edge_litert",
        "library_version": "2.1.0",
        "threads": 2,
        "frame": {"width": 640, "height": 480, "source": "the drawn frame"},
        "preset": None,
        "processes": processes,
        "golden": None,
        "stages": {stage: summarize([v for one in rows for v in one]).to_json() for stage, rows in every.items()},
        "stability": {stage: stability(rows) for stage, rows in every.items()},
        "frames_per_second": 100.0,
        **changes,
    }


@pytest.fixture
def small_result() -> dict[str, Any]:
    """One configuration, two processes, two stages."""
    processes = [a_process(invoke=[4.0, 6.0], whole=[9.0, 11.0]), a_process(invoke=[5.0], whole=[10.0])]
    return {
        "format": "segedge.segbench",
        "version": 2,
        "measured_at": "2026-11-25T00:00:00+00:00",
        "segbench_version": "0.1.0",
        "machine": {
            "cpu": "A Processor",
            "cores": 2,
            "logical_cores": 4,
            "memory_bytes": 8_000_000_000,
            "architecture": "x86_64",
            "system": "Linux",
            "load_average_1min": 0.25,
        },
        "settings": {"runs": 50, "seconds": 2.0, "seed": 7, "rate": None, "processes": 2},
        "configurations": [a_configuration("portrait_int8.tflite", processes)],
        "interrupted": False,
    }
