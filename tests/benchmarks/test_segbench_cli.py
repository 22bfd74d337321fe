"""The command: both backends, the table, and one clear line for everything that it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from segbench.cli import main
from segbench.frames import drawn_frame
from segbench.stopwatch import STAGES
from segbench.summary import summarize
from segruntime.backends import BACKENDS
from segruntime.segmenter import BUNDLED

TINY = ["--runs", "3", "--seconds", "0", "--warmup", "1"]


def segbench(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


def refused(*arguments: object) -> str:
    """The one line on standard error of a command that ends with 1."""
    result = segbench(*arguments)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("segbench: ")
    return result.stderr


def block(monkeypatch: pytest.MonkeyPatch, folder: Path, *modules: str) -> None:
    """Make modules look absent to child processes."""
    for module in modules:
        (folder / f"{module}.py").write_text("raise ImportError('blocked')")
    monkeypatch.setenv("PYTHONPATH", str(folder))


@pytest.mark.parametrize("backend", BACKENDS)
def test_json_holds_statistics_raw_values_and_where_they_come_from(backend: str) -> None:
    result = segbench("--backend", backend, "--size", "96x64", "--threads", 1, "--json", *TINY)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    assert (found["format"], found["version"]) == ("segedge.segbench", 1)
    assert list(found["stages"]) == list(STAGES)
    for name, stage in found["stages"].items():
        assert stage == summarize(found["values_ms"][name]).to_json()
        assert stage["n"] == 3
    assert found["frames_per_second"] == pytest.approx(1e3 / found["stages"]["alpha"]["p50_ms"])
    assert found["frame"] == {"width": 96, "height": 64, "source": "the drawn frame"}
    assert (found["threads"], found["warmup"]) == (1, 1)
    assert found["model"]["backend"] == backend
    assert found["model"]["name"] == BUNDLED[backend].name
    assert found["model"]["size_bytes"] == BUNDLED[backend].stat().st_size
    assert found["model"]["library_version"][0].isdigit()
    assert min(found["load_ms"], found["first_mask_ms"], found["peak_memory_bytes"]) > 0
    assert found["machine"]["cpu"]


def test_table_shows_every_stage_and_the_file_chooses_the_backend(tmp_path: Path) -> None:
    picture = tmp_path / "me.png"
    cv2.imwrite(str(picture), drawn_frame(160, 120))
    result = segbench("--model", BUNDLED["onnx"], "--input", picture, *TINY)
    assert result.exit_code == 0, result.output
    for text in ("preprocess", "invoke", "postprocess", "frame → alpha", "composite", "p50", "p90", "p99", "frames/s"):
        assert text in result.stdout
    assert f"{BUNDLED['onnx'].name}: " in result.stdout
    assert "onnxruntime" in result.stdout
    assert "160x120" in result.stdout


def test_help_shows_an_example_and_the_known_backends() -> None:
    result = segbench("--help")
    assert "segbench --backend tflite" in result.stdout
    assert f"[{'|'.join(BACKENDS)}]" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threads", 0], "threads: got 0, expected a whole number from 1 to 256"),
        (["--size", "0x0"], "size: got 0x0, expected sides from 16 to 8192 pixels"),
        (["--size", "abc"], "size: got 'abc', expected WIDTHxHEIGHT in pixels, like 1280x720"),
        (["--size", "999999x999999"], "size: got 999999x999999, expected sides from 16 to 8192 pixels"),
        (["--runs", 0], "runs: got 0"),
        (["--seconds", "inf"], "seconds: got inf"),
        (["--model", "missing.tflite"], "missing.tflite: found nothing there, expected a .tflite or .onnx file"),
        (["--input", "missing.png"], "missing.png: cannot be read"),
        (["--backend", "onnx", "--model", BUNDLED["tflite"]], "is a file for backend 'tflite'"),
    ],
)
def test_unusable_option_gives_one_line_and_code_1(arguments: list[object], message: str) -> None:
    assert message in refused(*arguments)


def test_unknown_backend_is_a_usage_error() -> None:
    result = segbench("--backend", "torch")
    assert result.exit_code == 2
    assert "'torch' is not one of" in result.stderr


@pytest.mark.parametrize("backend", BACKENDS)
def test_model_that_is_cut_off_gives_one_line(tmp_path: Path, backend: str) -> None:
    path = tmp_path / BUNDLED[backend].name
    path.write_bytes(BUNDLED[backend].read_bytes()[:5000])
    assert path.name in refused("--model", path)


def test_picture_that_is_none_gives_one_line(tmp_path: Path) -> None:
    path = tmp_path / "me.jpg"
    path.write_text("not a picture")
    assert "me.jpg: cannot be decoded" in refused("--input", path)


def test_picture_larger_than_any_frame_is_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    cv2.imwrite(str(path), np.zeros((8300, 8300), np.uint8))
    assert "bomb.png: cannot be decoded" in refused("--input", path)


@pytest.mark.parametrize(
    ("backend", "modules", "extra"),
    [("onnx", ["onnxruntime"], "onnx"), ("tflite", ["ai_edge_litert", "tflite_runtime"], "tflite")],
)
def test_missing_interpreter_names_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, modules: list[str], extra: str
) -> None:
    block(monkeypatch, tmp_path, *modules)
    assert f'pip install "segedge[{extra}]"' in refused("--backend", backend)


@pytest.mark.parametrize("module", ["rich", "psutil"])
def test_missing_library_names_the_bench_extra(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert f'needs {module}, which is not installed: pip install "segedge[bench]"' in refused()


def test_json_needs_no_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    result = segbench("--json", "--size", "32x32", *TINY)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["stages"]["alpha"]["n"] == 3
