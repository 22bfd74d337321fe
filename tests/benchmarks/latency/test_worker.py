"""The measuring process: its protocol, what it refuses, what it must not load."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import segbench.latency.stopwatch
import segbench.process.child
import segbench.process.pacing
import segruntime.model_file.self_test
from segbench.errors import UnprovenError, WorkerError, WrongMaskError
from segbench.frames.source import FrameFacts
from segbench.latency.mask_check import check, check_accuracy, check_mask
from segbench.latency.stopwatch import measure
from segbench.machine.describe import describe_machine, peak_memory_bytes
from segbench.process.child import run_worker
from segbench.process.job import Effort, Job
from segbench.results.latency import STAGES, Measurement
from segbench.results.subject import Subject
from segbench.worker import START
from segruntime import Contract

THREE = Effort(runs=3, seconds=0, warmup_runs=2, warmup_seconds=0)
SMALL = Job(width=64, height=48, effort=THREE)


def ask(task: str, text: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", START, task], input=text, capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    return dict(json.loads(done.stdout))


def test_one_job_in_one_line_out() -> None:
    result = ask("measure", json.dumps(replace(SMALL, backend="tflite").to_json()))["result"]
    expected = ["preprocess", "invoke", "postprocess", "alpha", "composite", "whole"]
    assert list(result["values_ms"]) == expected == [name for name in STAGES if name in expected]
    assert all(len(values) == 3 and min(values) > 0 for values in result["values_ms"].values())
    assert result["late_frames"] is None
    assert min(result["import_ms"], result["load_ms"], result["first_mask_ms"]) > 0


@pytest.mark.parametrize("task", ["check", "measure"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "expected a JSON object"),
        ('{"threads": 0}', "threads: got 0"),
        ('{"effort": {"runs": 0}}', "effort.seconds is missing"),
        ('{"x": 0}', "unknown field 'x'"),
    ],
)
def test_worker_answers_a_broken_job_with_an_error(task: str, text: str, message: str) -> None:
    assert message in ask(task, text)["error"]


def test_check_says_what_will_be_measured() -> None:
    found = Subject.from_json(run_worker("check", replace(SMALL, backend="onnx", threads=1, preset="fast")))
    assert found.frame == FrameFacts(width=64, height=48, source="the drawn frame")
    assert (found.library.backend, found.library.name, found.threads) == ("onnx", "onnxruntime", 1)
    assert found.preset == "fast"
    assert found.golden is not None
    assert found.golden["same"]
    assert Contract.from_json(found.model.contract) == segruntime.load(backend="onnx").contract


def every(seconds: float) -> Callable[[], float]:
    """A clock that goes on by so much each time it is read."""
    return map(float, count(0, seconds)).__next__


def test_seconds_are_a_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is read once before a round and four times within: alpha and the whole, begin and end."""
    monkeypatch.setattr(segbench.latency.stopwatch, "time", SimpleNamespace(perf_counter=every(0.25)))
    measured = measure(replace(SMALL, effort=Effort(runs=1, seconds=10, warmup_runs=0, warmup_seconds=0)))
    assert measured.values_ms["alpha"] == [250.0] * 8
    assert measured.values_ms["whole"] == [250.0] * 8


def test_warm_up_takes_its_time_and_is_in_no_value() -> None:
    start = time.perf_counter()
    measured = measure(replace(SMALL, effort=replace(THREE, warmup_runs=0, warmup_seconds=0.4)))
    assert time.perf_counter() - start > 0.4
    assert {len(values) for values in measured.values_ms.values()} == {3}


def test_rate_spreads_the_frames_and_the_whole_is_one_pass() -> None:
    start = time.perf_counter()
    measured = measure(replace(SMALL, effort=replace(THREE, runs=11), rate=20.0))
    assert time.perf_counter() - start > 10 / 20
    assert measured.late_frames is not None
    values = measured.values_ms
    for k in range(11):
        parts = sum(values[name][k] for name in ("preprocess", "invoke", "postprocess"))
        assert values["alpha"][k] == pytest.approx(parts, abs=1e-3)
        assert values["whole"][k] == pytest.approx(parts + values["composite"][k], abs=1e-3)


def test_frames_that_come_too_fast_are_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segbench.process.pacing, "time", SimpleNamespace(perf_counter=every(0.25)))
    assert measure(replace(SMALL, rate=1000.0)).late_frames == 3


def test_memory_counts_from_before_the_model() -> None:
    measured = Measurement.from_json(run_worker("measure", SMALL))
    assert 10e6 < measured.baseline_memory_bytes < measured.peak_memory_bytes < 1e9


def test_more_threads_than_cores_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segbench.latency.stopwatch.os, "sched_getaffinity", lambda _: {0})
    (text,) = measure(replace(SMALL, threads=2)).warnings
    assert text.startswith("threads: 2, and this process may use 1 core;")
    assert measure(replace(SMALL, threads=1)).warnings == ()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the variables are glibc's")
def test_memory_that_goes_to_and_fro_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    job = replace(SMALL, width=1280, height=720)
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "100000")  # every picture is a mapping of its own
    (text,) = run_worker("measure", job).strings("warnings")
    assert text.startswith("memory goes back to the system after each frame")
    for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):
        monkeypatch.setenv(name, "100000000")
    assert run_worker("measure", job).strings("warnings") == ()


def test_worker_that_dies_is_reported_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "segruntime"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('no disk left')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(WorkerError, match=r"code 1 and no result \(RuntimeError: no disk left\)"):
        run_worker("measure", Job())


def test_worker_that_is_killed_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segbench.process.child, "START", "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(WorkerError, match=r"code -9 and no result \(it said nothing\).*-9 out of memory"):
        run_worker("measure", Job())


def test_mask_that_is_not_the_golden_one_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segruntime.Segmenter, "network_mask", lambda _self, _frame: np.zeros((256, 256), np.float32))
    with pytest.raises(WrongMaskError, match="not the mask that it gave where it was made"):
        check(SMALL)


def test_file_without_golden_pictures_is_measured_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segruntime.model_file.self_test, "read_golden", lambda _path: None)
    assert check(SMALL).golden is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.2, np.nan], "1 values that are no numbers"),
        ([np.inf, 0.5], "1 values that are no numbers"),
        ([-0.1, 0.5], "values -0.1 to 0.5, expected 0 to 1"),
        ([0.0, 1.5], "values 0 to 1.5"),
        ([0.25, 0.25], "is 0.25 everywhere.*--input"),
    ],
)
def test_wrong_mask_is_not_timed(values: list[float], message: str) -> None:
    with pytest.raises(WrongMaskError, match=message):
        check_mask(np.array([values], np.float32), "net.onnx", "me.jpg")


def test_right_mask_passes() -> None:
    check_mask(np.array([[0, 0.5, 1]], np.float32), "net.onnx", "me.jpg")


def test_segbench_loads_neither_the_exporter_nor_a_training_library() -> None:
    code = (
        "import sys, segbench, segbench.cli, segbench.worker, segbench.latency.table;"
        "print([n for n in sys.modules if n.split('.')[0] in "
        "('segexport', 'torch', 'onnx', 'tensorflow', 'onnx2tf', 'rich', 'psutil', 'matplotlib')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_machine_is_described_in_json() -> None:
    machine = json.loads(json.dumps(describe_machine().to_json()))
    assert machine["cpu"]
    assert 1 <= machine["usable_cores"] <= machine["logical_cores"]
    assert "numpy" in machine["packages"]


def test_peak_memory_is_that_of_this_program() -> None:
    assert peak_memory_bytes() > 10_000_000


@pytest.mark.parametrize(
    ("mask_iou", "message"),
    [
        (0.96, None),
        (0.9599, "IoU of 0.9599 with the float network's, --mlperf wants at least 0.96"),
        (None, "no parity"),
    ],
)
def test_mlperf_takes_only_a_file_that_proves_its_accuracy(mask_iou: float | None, message: str | None) -> None:
    segmenter = segruntime.load(backend="onnx", threads=1)
    assert segmenter.contract.parity is not None
    parity = None if mask_iou is None else replace(segmenter.contract.parity, mask_iou=mask_iou)
    said: Any = SimpleNamespace(path="m.onnx", contract=replace(segmenter.contract, parity=parity))
    if message is None:
        check_accuracy(said, 0.96)
        return
    with pytest.raises(UnprovenError, match=message):
        check_accuracy(said, 0.96)


def test_check_holds_the_gate_before_anything_is_measured() -> None:
    job = replace(SMALL, backend="tflite", threads=1)
    contract = segruntime.load(backend="tflite").contract
    assert contract.conversion is not None
    assert check(replace(job, least_mask_iou=0.96)).model.precision == contract.conversion.precision
    with pytest.raises(UnprovenError, match="--mlperf wants at least 1;"):
        check(replace(job, least_mask_iou=1.0))
