"""Tables of `benchmarks/peers` from results that were written by hand, and the results that are kept."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests import messages
from tests.benchmarks.made_results import with_digest
from tests.places import ROOT

from peers.results import EXPORT_FORMAT, RUN_FORMAT, VERSION, ExportResult, RunResult, read_export, read_run
from peers.tables import markdown_table, notes
from segbench.errors import ResultsError
from segbench.results.file import write_results
from segruntime.strict_json import Fields

STEADY = {"verdict": "steady", "words": "steady: …", "spread": 0.0, "drift": 0.0, "outliers": 0.0}
MACHINE = {
    **{"cpu": "A Processor", "cores": 2, "logical_cores": 4, "memory_bytes": 8_000_000_000, "architecture": "x86_64"},
    **{"system": "Linux", "load_average_1min": 0.25, "packages": {}},
}
COMMON = {
    "version": VERSION,
    "measured_at": "2026-11-25T00:00:00+00:00",
    "segedge_version": "0.1.0",
    "machine": MACHINE,
    "interrupted": False,
}


def as_run(content: dict[str, Any]) -> RunResult:
    return RunResult.from_json(Fields(with_digest(content)))


def as_export(content: dict[str, Any]) -> ExportResult:
    return ExportResult.from_json(Fields(with_digest(content)))


def a_row(task: str, title: str, p50: float, p90: float, ratio: tuple[float, float, float] | None) -> dict[str, Any]:
    return {
        "task": task,
        "title": title,
        "values_ms": [[p50, p90]],
        "p50_ms": p50,
        "p90_ms": p90,
        "n": 2,
        "stability": STEADY,
        "baseline": None if ratio is None else {"peer": "segruntime", "task": "mask"},
        "ratio": None if ratio is None else dict(zip(("ratio", "low", "high"), ratio, strict=True)),
    }


def a_peer(name: str, rows: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "title": name,
        "model": "tflite",
        "threads": 2,
        "requirements": None,
        "packages": {},
        "notes": [],
        "masks": None,
        "failure": None,
        "rows": rows,
        **changes,
    }


def masks(iou: float, same: float | None, verdict: str) -> dict[str, Any]:
    def agreement(value: float) -> dict[str, float]:
        return {"iou": value, "lowest_iou": value, "largest_difference": 0.5, "mean_difference": 0.01}

    return {
        "verdict": verdict,
        "frames": 8,
        "as_given": agreement(iou),
        "of_same_picture": None if same is None else agreement(same),
    }


@pytest.fixture
def run_result() -> dict[str, Any]:
    resized = masks(0.94, 0.9971, "same mask of another resize")
    wrong = masks(0.5, None, "another mask")
    model = {"file": "m", "size_bytes": 1, "sha256": "ab"}
    return {
        **COMMON,
        "format": RUN_FORMAT,
        "clip": {"file": "clip.mp4", "frames": 64, "width": 1280, "height": 720},
        "models": {"tflite": model, "onnx": model},
        "settings": {"threads": 2, "processes": 8, "seconds": 12.0},
        "peers": [
            a_peer("segruntime", [a_row("mask", "segruntime", 5.0, 5.5, None)], masks=masks(1, None, "same mask")),
            a_peer("bare", [a_row("invoke", "bare", 4.0, 4.25, (0.8, 0.79, 0.81))], masks=masks(1, None, "same mask")),
            a_peer("other", [a_row("mask", "other", 60.0, 70.0, (12.0, 11.5, 12.56))], masks=resized),
            a_peer("wrong", [a_row("mask", "wrong", 10.0, 11.0, (2.0, 1.9, 2.1))], masks=wrong),
            a_peer("broken", [], model="onnx", threads=1, failure="pip cannot install it (a | b)", requirements=["x"]),
        ],
    }


@pytest.fixture
def export_result() -> dict[str, Any]:
    def way(name: str, **changes: Any) -> dict[str, Any]:
        return {
            "name": name,
            "title": name,
            "packages": {},
            "failure": None,
            "onnx_s": 1.0,
            "values_s": [10.0],
            "seconds": 10.0,
            "size_bytes": 2_000_000,
            "largest_difference": 2.5e-6,
            "invoke": a_row("invoke", name, 20.0, 21.0, None),
            **changes,
        }

    nothing = {"seconds": None, "values_s": [], "size_bytes": None, "largest_difference": None, "invoke": None}
    ways = [
        way("segexport", packages={"torch": "2.13.0"}),
        way("slow", seconds=25.0, invoke=a_row("invoke", "slow", 30.0, 31.0, (1.5, 1.4, 1.6))),
        way("broken", failure="no such operator", **nothing),
    ]
    network = {"name": "demo", "parameters": 490_000, "size": 256, "ways": ways}
    return {**COMMON, "format": EXPORT_FORMAT, "settings": {"threads": 2}, "networks": [network]}


def test_the_table_of_a_run(run_result: dict[str, Any]) -> None:
    assert markdown_table(as_run(run_result)).splitlines() == [
        "| model, threads | with | what | p50, ms | p90, ms | n | times segruntime's | mask next to segruntime's |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | --- |",
        "| int8 .tflite, 2 threads | segruntime | frame → mask | 5.00 | 5.50 | 2 | 1 | – |",
        "| int8 .tflite, 2 threads | bare | ready tensor → output | 4.00 | 4.25 | 2 | 0.80 (0.79–0.81) | – |",
        "| int8 .tflite, 2 threads | other | frame → mask | 60.00 | 70.00 | 2 | 12.0 (11.5–12.6) | IoU 94.0 %; 99.7 % on its "
        "own small picture |",
        "| int8 .tflite, 2 threads | wrong | frame → mask | 10.00 | 11.00 | 2 | 2.00 (1.90–2.10) | IoU 50.0 %: another mask |",
        "| float32 .onnx, 1 thread | broken | pip cannot install it (a \\| b) | – | – | – | – | – |",
    ]


def test_the_table_of_an_export(export_result: dict[str, Any]) -> None:
    assert markdown_table(as_export(export_result)).splitlines() == [
        "| network | with | seconds | times ours | file, MB | largest difference from PyTorch | invoke p50, ms | times ours |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| demo, 0.5 M, 256x256 | segexport | 10.0 | 1 | 2.00 | 2.5e-06 | 20.0 | 1 |",
        "| demo, 0.5 M, 256x256 | slow | 25.0 | 2.50 | 2.00 | 2.5e-06 | 30.0 | 1.50 (1.40–1.60) |",
        "| demo, 0.5 M, 256x256 | broken: no such operator | – | – | – | – | – | – |",
    ]


def test_the_notes_say_when_others_used_the_machine_and_when_it_was_stopped(run_result: dict[str, Any]) -> None:
    assert not any("quiet one" in note or "interrupted" in note for note in notes(as_run(run_result)))
    busy = {**run_result, "machine": {**MACHINE, "load_average_1min": 4.0}, "interrupted": True}
    assert any("measure again on a quiet one" in note for note in notes(as_run(busy)))
    assert any(note.startswith("interrupted") for note in notes(as_run(busy)))


def test_results_are_read_as_they_were_written_and_refused_when_they_were_not(
    run_result: dict[str, Any], export_result: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "peers.json"
    write_results(path, run_result)
    assert read_run(path) == as_run(run_result)
    write_results(path, export_result)
    assert read_export(path) == as_export(export_result)
    path.write_text(path.read_text().replace("25.0", "5.0"))
    with pytest.raises(ResultsError, match="was edited"):
        read_export(path)
    del run_result["peers"][0]["rows"][0]["p90_ms"]
    write_results(path, run_result)
    with pytest.raises(ResultsError, match=r"peers\[0\]\.rows\[0\]\.p90_ms is missing"):
        read_run(path)


@pytest.mark.parametrize(("name", "read"), [("peers.json", read_run), ("peers_export.json", read_export)])
def test_the_kept_results_are_whole_and_name_no_place_on_the_machine(name: str, read: Callable[[Path], Any]) -> None:
    path = ROOT / "benchmarks" / "results" / name
    assert len(markdown_table(read(path)).splitlines()) > 4
    text = json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "machine"})
    assert not re.findall(r"(?<![\w.])/\w+/\S*|\w+://\S*", text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--clip", "none.mp4", "--only", "tensorrt"], "--only: got 'tensorrt', expected one of segruntime"),
        (["run", "--clip", "none.mp4", "--only", "segruntime"], f"none.mp4: {messages.NOTHING_THERE} a video file"),
        (["run", "--clip", "none.mp4", "-o", "no/such/folder.json"], "no/such/folder.json: cannot be written"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(words: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "peers"), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"peers: {said}")
    assert len(done.stderr.splitlines()) == 1
