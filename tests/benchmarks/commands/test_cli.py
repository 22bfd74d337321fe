"""The command: both backends, the table, and one clear line for everything that it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests import messages
from tests.benchmarks.made_results import as_latency, read_json
from tests.refusals import refused, run_segbench

import segbench.latency.run as segbench_latency
import segruntime
from segbench.errors import WorkerError
from segbench.frames.drawn import drawn_frame
from segbench.latency.effort import MLPERF_MASK_IOU, QUICK, effort_of
from segbench.latency.table import print_table
from segbench.process.child import run_worker
from segbench.process.interrupt import Interrupt
from segbench.process.job import Job
from segbench.results.latency import FORMAT, VERSION
from segbench.statistics.summary import summarize
from segruntime.backends import BACKENDS
from segruntime.errors import install_command
from segruntime.segmenter import BUNDLED

TINY = ["--runs", "3", "--seconds", "0", "--warmup", "1", "--warmup-seconds", "0", "--processes", "1", "--seed", "11"]


def start(*arguments: object) -> subprocess.Popen[str]:
    """The command as a shell starts it, for what click's runner cannot do."""
    command = [sys.executable, "-m", "segbench", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def block(monkeypatch: pytest.MonkeyPatch, folder: Path, *modules: str) -> None:
    """Make modules look absent to child processes."""
    for module in modules:
        (folder / f"{module}.py").write_text("raise ImportError('blocked')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_file_holds_statistics_raw_values_and_where_they_come_from(tmp_path: Path, backend: str) -> None:
    path = tmp_path / "found.json"
    result = run_segbench(*TINY, "--backend", backend, "--size", "96x64", "--threads", 1, "--processes", 2, "-o", path)
    assert result.exit_code == 0, result.output
    found = read_json(path, FORMAT, VERSION)
    (one,) = found["configurations"]
    assert len(one["processes"]) == 2
    assert one["processes"][0]["started_at"] < one["processes"][1]["started_at"] <= time.time()
    for name, stage in one["stages"].items():
        assert stage == summarize([v for process in one["processes"] for v in process["values_ms"][name]]).to_json()
        assert stage["n"] == 6
    assert one["frames_per_second"] == pytest.approx(1e3 / one["stages"]["whole"]["p50_ms"])
    assert one["frame"] == {"width": 96, "height": 64, "source": "the drawn frame"}
    assert (one["backend"], one["threads"], one["preset"]) == (backend, 1, None)
    path = segruntime.load(backend=backend).path
    assert one["model"]["name"] == one["name"] == path.name
    assert one["model"]["size_bytes"] == path.stat().st_size
    assert one["library_version"][0].isdigit()
    assert one["golden"]["same"]
    assert found["settings"] == {
        "runs": 3,
        "seconds": 0.0,
        "warmup_runs": 1,
        "warmup_seconds": 0.0,
        "processes": 2,
        "rate": None,
        "least_mask_iou": None,
        "seed": 11,
    }
    assert found["machine"]["sensors"]["after"] is not None
    assert not found["interrupted"]


def test_table_shows_every_stage_and_the_file_chooses_the_backend(tmp_path: Path) -> None:
    picture = tmp_path / "me.png"
    cv2.imwrite(str(picture), drawn_frame(160, 120))
    result = run_segbench("--model", BUNDLED["onnx"], "--input", picture, "--preset", "balanced", *TINY)
    assert result.exit_code == 0, result.output
    for text in ("preprocess", "invoke", "postprocess", "refine", "frame → alpha", "composite", "whole", "p50", "p99"):
        assert text in result.stdout
    assert f"{BUNDLED['onnx'].name}: " in result.stdout
    assert "onnxruntime" in result.stdout
    assert "160x120" in result.stdout


def test_video_has_a_stage_for_its_decoding(tmp_path: Path) -> None:
    path = tmp_path / "me.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (160, 120))
    for _ in range(3):
        writer.write(drawn_frame(160, 120))
    writer.release()
    result = run_segbench("--input", path, "--rate", 100, "--json", *TINY)
    assert result.exit_code == 0, result.output
    (one,) = json.loads(result.stdout)["configurations"]
    assert len(one["processes"][0]["values_ms"]["decode"]) == 3
    assert one["processes"][0]["late_frames"] in range(4)


def test_several_configurations_stand_beside_one_another_within_100_columns() -> None:
    axes = ["--backend", "tflite", "--backend", "onnx", "--threads", "1,2", "--preset", "none", "--preset", "fast"]
    result = run_segbench(*axes, "--size", "96x64", *TINY)
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 100
    for name in (
        "mobile_unet.onnx",
        segruntime.load().path.name,
        "2 threads",
        "no preset",
        "fast",
        "refine",
        "whole",
    ):
        assert name in result.stdout


def test_longest_names_and_times_stay_within_100_columns(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_segbench("--size", "32x32", "--json", "--preset", "best", *TINY)
    found = json.loads(result.stdout)
    (one,) = found["configurations"]
    one["name"] = f"{'portrait_' * 12}int8.tflite, 16 threads, 3840x2160, balanced"
    one["stages"]["decode"] = one["stages"]["whole"]
    one["stability"]["decode"] = one["stability"]["whole"]
    for stage in one["stages"].values():
        stage.update({key: 12345.678 for key in stage if key != "n"}, n=123456)
    for process in one["processes"]:
        process["values_ms"]["decode"] = process["values_ms"]["whole"]
        process.update(late_frames=123456, peak_memory_bytes=10**10, load_ms=99999.0, first_mask_ms=99999.0)
    for count in (1, 3):
        print_table(as_latency({**found, "configurations": [one] * count}))
        assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


def test_broken_configuration_does_not_lose_the_others(tmp_path: Path) -> None:
    cut, path = tmp_path / "cut.tflite", tmp_path / "found.json"
    cut.write_bytes(BUNDLED["tflite"].read_bytes()[:5000])
    options = ["--threads", "1,2", "--size", "64x48", "-o", path, *TINY]
    result = run_segbench("--model", cut, "--model", BUNDLED["tflite"], *options)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("segbench: cut.tflite, 1 thread and 1 more: ")
    assert "Traceback" not in line
    assert [one["name"] for one in read_json(path, FORMAT, VERSION)["configurations"]] == [
        "mobile_unet_int8.tflite, 1 thread",
        "mobile_unet_int8.tflite, 2 threads",
    ]


def test_configuration_that_dies_while_it_is_measured_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def dies_at_its_second(task: str, job: Job, interrupt: Interrupt | None = None) -> dict[str, Any]:
        if task == "measure" and job.backend == "onnx":
            ran.append(task)
            if len(ran) == 2:
                raise WorkerError("the measuring process ended with code -9")
        return run_worker(task, job, interrupt)  # type: ignore[arg-type]

    monkeypatch.setattr(segbench_latency, "run_worker", dies_at_its_second)
    axes = ["--backend", "tflite", "--backend", "onnx", "--processes", 3, "--size", "32x32"]
    result = run_segbench(*TINY, *axes, "--json")
    assert result.exit_code == 1
    assert result.stderr == "segbench: mobile_unet.onnx: the measuring process ended with code -9\n"
    (one,) = json.loads(result.stdout)["configurations"]
    assert (one["backend"], len(one["processes"]), len(ran)) == ("tflite", 3, 2)


def test_ctrl_c_keeps_what_was_measured(tmp_path: Path, six_rounds: Callable[[subprocess.Popen[str]], None]) -> None:
    path = tmp_path / "found.json"
    options = ["--size", "64x48", "--seconds", "600", "--runs", "1", "--processes", "3", "-o", path]
    child = start(*options)
    six_rounds(child)
    child.send_signal(signal.SIGINT)
    stdout, stderr = child.communicate(timeout=300)
    assert child.returncode == 130, stderr
    assert f"{messages.UNTIL_THEN}\n" in stderr
    assert "frame → alpha" in stdout
    found = read_json(path, FORMAT, VERSION)
    assert found["interrupted"]
    (one,) = found["configurations"]
    assert one["stages"]["whole"]["n"] >= 1


def test_ctrl_c_before_anything_was_measured_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "found.json"

    def interrupted(_task: str, _job: Job, interrupt: Interrupt) -> dict[str, Any]:
        signal.raise_signal(signal.SIGINT)
        raise WorkerError("ended by a signal")

    monkeypatch.setattr(segbench_latency, "run_worker", interrupted)
    result = run_segbench("-o", path, *TINY)
    assert result.exit_code == 130
    assert result.stderr == f"{messages.NOT_EVEN_ONE}\n"
    assert result.stdout == ""
    assert not path.exists()


def test_a_ctrl_c_that_a_shell_has_ignored_in_the_background_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
    assert signal.signal(signal.SIGINT, before) == signal.SIG_IGN
    assert not interrupt.asked


def test_quick_measures_for_less_than_five_seconds(tmp_path: Path) -> None:
    result = run_segbench("--quick", "-o", tmp_path / "quick.json")
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 100
    found = read_json(tmp_path / "quick.json", FORMAT, VERSION)
    settings = found["settings"]
    asked_s = settings["processes"] * (settings["warmup_seconds"] + settings["seconds"])
    assert len(found["configurations"]) * asked_s < 5
    assert settings["warmup_runs"] + settings["runs"] < 30  # and no more where the clock has come to its end


def test_options_win_over_the_kind_of_run() -> None:
    result = run_segbench("--quick", "--json", "--size", "32x32", "--processes", 1, "--seconds", 0)
    settings = json.loads(result.stdout)["settings"]
    expected = replace(QUICK, processes=1, seconds=0)
    assert {key: settings[key] for key in asdict(expected)} == asdict(expected)
    assert effort_of(quick=False, mlperf=True).runs == 1024
    assert effort_of(quick=False, mlperf=True).seconds == 60
    assert MLPERF_MASK_IOU == 0.96


def test_help_shows_an_example_and_the_known_backends() -> None:
    result = run_segbench("--help")
    assert "segbench --quick" in result.stdout
    assert f"[{'|'.join(BACKENDS)}]" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threads", "1,x"], f"threads: got 'x', {messages.THREADS}, or several: 1,2,4"),
        (["--quick", "--mlperf"], "quick: got --quick and --mlperf, expected one of them"),
        (["--processes", 0], "processes: got 0, expected a whole number from 1 to 1000"),
        (["--rate", 0], "rate: got 0.0, expected a number from 0.1 to 1000"),
        (["--input", "missing.mp4"], f"missing.mp4: {messages.NOTHING_THERE} a video file"),
        (["-o", "missing/found.json"], "missing/found.json: cannot be written"),
        (["--threads", 0], f"threads: got 0, {messages.THREADS}"),
        (["--size", "0x0"], f"size: got 0x0, {messages.SIDES} pixels"),
        (["--size", "abc"], "size: got 'abc', expected WIDTHxHEIGHT in pixels, like 1280x720"),
        (["--size", "999999x999999"], f"size: got 999999x999999, {messages.SIDES} pixels"),
        (["--runs", 0], "runs: got 0"),
        (["--seconds", "inf"], "seconds: got inf"),
        (["--model", "missing.tflite"], f"missing.tflite: {messages.NOTHING_THERE} a .tflite or .onnx file"),
        (["--input", "missing.png"], "missing.png: cannot be read"),
        (["--backend", "onnx", "--model", BUNDLED["tflite"]], "is a file for backend 'tflite'"),
    ],
)
def test_unusable_option_gives_one_line_and_code_1(arguments: list[object], message: str) -> None:
    assert message in refused(run_segbench(*arguments))


def test_unknown_backend_is_a_usage_error() -> None:
    result = run_segbench("--backend", "torch")
    assert result.exit_code == 2
    assert "'torch' is not one of" in result.stderr


@pytest.mark.parametrize("backend", BACKENDS)
def test_model_that_is_cut_off_gives_one_line(tmp_path: Path, backend: str) -> None:
    path = tmp_path / BUNDLED[backend].name
    path.write_bytes(BUNDLED[backend].read_bytes()[:5000])
    assert path.name in refused(run_segbench("--model", path))


def test_picture_that_is_none_gives_one_line(tmp_path: Path) -> None:
    path = tmp_path / "me.jpg"
    path.write_text("not a picture")
    assert f"me.jpg: {messages.CANNOT_BE_DECODED}" in refused(run_segbench("--input", path))


def test_picture_larger_than_any_frame_is_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    cv2.imwrite(str(path), np.zeros((8300, 8300), np.uint8))
    assert f"bomb.png: {messages.CANNOT_BE_DECODED}" in refused(run_segbench("--input", path))


@pytest.mark.parametrize(
    ("backend", "modules", "extra"),
    [("onnx", ["onnxruntime"], "onnx"), ("tflite", ["ai_edge_litert", "tflite_runtime"], "tflite")],
)
def test_missing_interpreter_names_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, modules: list[str], extra: str
) -> None:
    block(monkeypatch, tmp_path, *modules)
    assert install_command(extra) in refused(run_segbench("--backend", backend))


@pytest.mark.parametrize("module", ["rich", "psutil"])
def test_missing_library_names_the_bench_extra(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert f"needs {module}, which is not installed: {install_command('bench')}" in refused(run_segbench())


def test_json_needs_no_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    result = run_segbench("--json", "--size", "32x32", *TINY)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["configurations"][0]["stages"]["alpha"]["n"] == 3
