"""Small results of each kind, worked out by hand."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from segbench.statistics.spread import spread
from segbench.statistics.stability import stability
from segbench.statistics.summary import summarize

LIMIT_S = 300  # of a command on a machine that has much else to do
# what Python runs before anything else: of a measuring process, six rounds are told by a file; two of them may be warm-up
TELL = """
import os
import segbench.profile.rounds, segbench.profile.run, segbench.latency.stopwatch

segbench.profile.run._MOST_WARM_UP_SECONDS = 0.0
rounds = 0

def told(module, name):
    call = getattr(module, name)
    def one(*words):
        global rounds
        found = call(*words)
        rounds += 1
        if rounds == 6:
            open(os.environ["SEGBENCH_TEST_SIX_ROUNDS"], "w").close()
        return found
    setattr(module, name, one)

told(segbench.latency.stopwatch, "_timed_round")
told(segbench.profile.rounds, "_one_round")
"""


@pytest.fixture
def six_rounds(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[[subprocess.Popen[str]], None]:
    """Waits until a child of the command has measured for six rounds."""
    folder = tmp_path_factory.mktemp("told")
    (folder / "sitecustomize.py").write_text(TELL)
    monkeypatch.setenv("SEGBENCH_TEST_SIX_ROUNDS", str(folder / "six"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]))

    def wait(command: subprocess.Popen[str]) -> None:
        end = time.monotonic() + LIMIT_S
        while not (folder / "six").exists():
            assert command.poll() is None, "it ended before"
            assert time.monotonic() < end, "no process measured anything"
            time.sleep(0.02)

    return wait


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
        "stability": {stage: stability(rows).to_json() for stage, rows in every.items()},
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
        "settings": {
            **{"runs": 50, "seconds": 2.0, "warmup_runs": 10, "warmup_seconds": 0.5, "processes": 2},
            **{"rate": None, "seed": 7},
        },
        "configurations": [a_configuration("portrait_int8.tflite", processes)],
        "interrupted": False,
    }


@pytest.fixture
def make_configuration() -> Callable[..., dict[str, Any]]:
    """`make("net.tflite", {"whole": [9.0]}, {"whole": [11.0]}, threads=4)`: a configuration with a process for each object."""

    def make(name: str, *processes: dict[str, list[float]], **changes: Any) -> dict[str, Any]:
        return a_configuration(name, [a_process(**values_ms) for values_ms in processes], **changes)

    return make


@pytest.fixture
def small_accuracy(small_result: dict[str, Any]) -> dict[str, Any]:
    """Of the model of `small_result`, on two pictures."""
    (one,) = small_result["configurations"]
    ious = {"a": 0.9, "b": 0.98}
    each = [{"picture": name, "iou": iou, "boundary_f": 0.5, "mean_absolute_error": 0.1} for name, iou in ious.items()]
    names = ("iou", "boundary_f", "mean_absolute_error")
    return {
        "format": "segedge.segbench.accuracy",
        "version": 1,
        "measured_at": "2026-11-25T00:00:00+00:00",
        "segbench_version": "0.1.0",
        "machine": small_result["machine"],
        "model": {**one["model"], **{key: one[key] for key in ("backend", "library", "library_version")}},
        "preset": None,
        "threads": 2,
        "threshold": 0.5,
        "images": "images",
        "masks": "masks",
        "pictures_sha256": "ef" * 32,
        "summary": {name: spread([row[name] for row in each]).to_json() for name in names},
        "each": each,
    }


@pytest.fixture
def small_sustained(small_result: dict[str, Any]) -> dict[str, Any]:
    """Of the model of `small_result`: two minutes, the second half again as slow as the first."""
    (one,) = small_result["configurations"]
    what = ("model", "backend", "library", "library_version", "threads", "frame", "preset")
    none = dict.fromkeys(("others_cores", "temperature_c", "frequency_mhz", "throttled", "throttle_flags"))
    minutes = [
        {"minute": k, "seconds": 60.0, "n": 1, "p50_ms": ms, "p90_ms": ms, "values_ms": [ms], **none}
        for k, ms in ((1, 10.0), (2, 15.0))
    ]
    return {
        "format": "segedge.segbench.sustained",
        "version": 1,
        **{key: small_result[key] for key in ("measured_at", "segbench_version", "machine")},
        "settings": {"minutes": 2.0},
        **{key: one[key] for key in what},
        "minutes": minutes,
        "last_to_first": 1.5,
        "interrupted": False,
        "warnings": ["this machine has no thermometer"],
    }
