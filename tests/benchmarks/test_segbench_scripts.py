"""The stand-alone scripts run, and what they time is right. How fast it is, they print and nobody enforces."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest
from tests.places import ROOT

import segruntime
from segbench.frames.drawn import drawn_frame
from segruntime.model_file.golden import GoldenPicture, with_golden

SCRIPTS = ROOT / "benchmarks"


def run(script: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / script), *arguments, "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_runtime_overhead_compares_composites_that_agree() -> None:
    (result,) = run("runtime_overhead.py", "--rounds", "2", "--inner", "1")["results"]
    assert result["composites_agree"]
    assert len(result["ratios"]) == 5
    assert all(len(values) == 2 for values in result["values_ms"].values())


def test_runtime_overhead_refuses_a_missing_model_in_one_line() -> None:
    done = subprocess.run(
        [
            sys.executable,
            str(SCRIPTS / "runtime_overhead.py"),
            "--rounds",
            "1",
            "--inner",
            "1",
            "--model",
            "none.tflite",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "runtime_overhead: none.tflite: found nothing there" in done.stderr
    assert "Traceback" not in done.stderr


def test_harness_overhead_takes_the_ratio_within_each_pair() -> None:
    arguments = ["--pairs", "3", "--seconds", "0.1", "--json"]
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "harness_overhead.py"), *arguments], capture_output=True, text=True, check=False
    )
    result = json.loads(done.stdout)
    ratios = sorted(b / a for a, b in zip(result["bare_p50_ms"], result["harness_p50_ms"], strict=True))
    assert len(ratios) == 3
    assert result["difference"] == pytest.approx(ratios[1] - 1)
    assert result["interval"][0] <= result["difference"] <= result["interval"][1]
    assert done.returncode == (0 if abs(result["difference"]) <= 0.02 else 1)


def test_cold_start_measures_imports_first_mask_and_memory() -> None:
    result = run("cold_start.py", "--repeats", "1")
    assert [len(values) for values in result["values_ms"].values()] == [1, 1, 1]
    assert all(row["value"] != 0 for row in result["measured"])


def test_self_test_variation_tells_other_kernels_from_faults(tmp_path: Path) -> None:
    path = tmp_path / "golden.tflite"
    segmenter = segruntime.load(backend="tflite")
    frame = cv2.resize(drawn_frame(480, 640), (84, 112), interpolation=cv2.INTER_AREA)
    mask = segmenter.network_mask(frame)
    picture = GoldenPicture(name="drawn", frame=frame, reference=mask, made=mask)
    path.write_bytes(with_golden(segmenter.path.read_bytes(), [picture]))
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "self_test_variation.py"), str(path), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = {row["what"]: row for row in json.loads(done.stdout)}
    assert rows["1 threads"]["mean_difference"] == 0
    assert rows["no XNNPACK"]["same"]
    assert rows["reference kernels"]["same"]
    assert not rows["fault: letterbox"]["same"]
