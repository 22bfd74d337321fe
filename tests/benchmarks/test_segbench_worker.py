"""The measuring process: its protocol, what it refuses, what it must not load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import segbench.child
from segbench.child import run_worker
from segbench.errors import WorkerError, WrongMaskError
from segbench.job import Job
from segbench.machine import cpu_name, describe_machine, peak_memory_bytes
from segbench.stopwatch import STAGES, check_mask


def ask(text: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "segbench.worker"], input=text, capture_output=True, text=True, check=True
    )
    assert done.stdout.count("\n") == 1
    return dict(json.loads(done.stdout))


def test_one_job_in_one_line_out() -> None:
    answer = ask(json.dumps(Job(backend="tflite", width=64, height=48, runs=3, seconds=0, warmup=2).to_json()))
    result = answer["result"]
    assert list(result["values_ms"]) == list(STAGES)
    assert all(len(values) == 3 and min(values) > 0 for values in result["values_ms"].values())
    assert result["frame"] == {"width": 64, "height": 48, "source": "the drawn frame"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "job: not JSON"),
        ("[1]", "expected a JSON object"),
        ('{"runs": 0}', "runs: got 0"),
        ('{"x": 0}', "unknown field 'x'"),
    ],
)
def test_worker_answers_a_broken_job_with_an_error(text: str, message: str) -> None:
    assert message in ask(text)["error"]


def test_seconds_are_a_minimum() -> None:
    measured = run_worker(Job(width=32, height=32, runs=1, seconds=0.2, warmup=0))
    assert sum(map(sum, measured.values_ms.values())) > 150


def test_worker_that_dies_is_reported_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "segruntime"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('no disk left')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(WorkerError, match=r"code 1 and no result \(RuntimeError: no disk left\)"):
        run_worker(Job())


def test_worker_that_is_killed_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = subprocess.CompletedProcess([], -9, stdout="", stderr="")
    monkeypatch.setattr(segbench.child.subprocess, "run", lambda *_, **__: killed)
    with pytest.raises(WorkerError, match=r"code -9 and no result \(it said nothing\).*-9 out of memory"):
        run_worker(Job())


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
        "import sys, segbench, segbench.cli, segbench.worker, segbench.table;"
        "print([n for n in sys.modules if n.split('.')[0] in "
        "('segexport', 'torch', 'onnx', 'tensorflow', 'onnx2tf', 'rich', 'psutil', 'matplotlib')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_machine_is_described_in_json() -> None:
    machine = json.loads(json.dumps(describe_machine()))
    assert machine["cpu"]
    assert 1 <= machine["usable_cores"] <= machine["logical_cores"]
    assert "numpy" in machine["packages"]


def test_processor_without_a_name_is_called_by_its_board(tmp_path: Path) -> None:
    cpuinfo, board = tmp_path / "cpuinfo", tmp_path / "model"
    cpuinfo.write_text("processor\t: 0\nBogoMIPS\t: 108.00\n")
    board.write_text("Raspberry Pi 4 Model B Rev 1.4\0")
    assert cpu_name(cpuinfo, board) == "Raspberry Pi 4 Model B Rev 1.4"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Fast One\n")
    assert cpu_name(cpuinfo, board) == "Fast One"
    assert cpu_name(tmp_path / "none", tmp_path / "none")


def test_peak_memory_is_that_of_this_program() -> None:
    assert peak_memory_bytes() > 10_000_000
