"""One network through one converter: the public command, and what its report and its files say."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers.errors import reason
from segbench.process.interrupt import Interrupt
from segbench.profile.tflite.graph import read_graph
from segbench.profile.tflite.partition import delegated
from zoo.make import Made, last_line, run_child

TIMEOUT_S = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way of calling the command.

    converter: as the command calls it. given: which of `Made`'s files. precisions: what is asked for. words: more options.
    """

    converter: str
    given: str = "onnx"
    precisions: tuple[str, ...] = ("float32",)
    words: tuple[str, ...] = ()


WAYS = {
    "direct": Way(converter="direct"),
    "tf": Way(converter="tf"),
    # it takes no ONNX: the same network as an exported program
    "litert-torch": Way(converter="litert-torch", given="pt2"),
    "saved": Way(
        converter="auto",
        given="saved",
        precisions=("float32", "int8"),
        words=("--max-iou-drop", "2"),
    ),
}


def measure(made: Made, way: Way, interrupt: Interrupt) -> dict[str, Any]:
    """What became of it, as `results.CELL` says; `seconds` are those of the whole command."""
    source: Path = getattr(made, way.given)
    pictures = made.onnx.parent / "pictures"
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "segexport.cli",
            "tflite",
            str(source),
            "--preprocess",
            "imagenet",
        ]
        command += ["--calibration", str(pictures), "--precision", ",".join(way.precisions)]
        command += ["--converter", way.converter, "--timeout", str(TIMEOUT_S), "--json", "--output", folder]
        command += way.words
        started = time.monotonic()
        said, words, code = run_child(command, interrupt)
        seconds = time.monotonic() - started
        report = _report(said)
        rows = [row for row in report.get("files", ()) if row["precision"] in way.precisions]
        files = {row["precision"]: _file(row, Path(folder)) for row in rows}
    return {
        "seconds": round(seconds, 2),
        "taken": report.get("converter"),
        "refused": {name: _short(text) for name, text in (report.get("refused") or _warned(words)).items()},
        "refusal": _short(last_line(words) or f"ended with code {code}") if code else None,
        "files": files,
    }


def _report(said: str) -> dict[str, Any]:
    """What the command said of its export; empty where it came to none."""
    try:
        report = json.loads(said)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _warned(words: str) -> dict[str, str]:
    """Converter → why its file was not taken, as the command said on standard error before it gave up."""
    lines = (
        line.removeprefix("warning: ").partition(": ") for line in words.splitlines() if line.startswith("warning: ")
    )
    return {name: text for name, _, text in lines if name in WAYS}


def _file(row: dict[str, Any], folder: Path) -> dict[str, Any]:
    numbers = ("max_difference", "mask_iou", "invoke_p50_ms", "size_bytes", "kept")
    elsewhere = _elsewhere(folder / row["name"]) if row["kept"] else {}
    return {**{name: row[name] for name in numbers}, "elsewhere": elsewhere}


def _elsewhere(path: Path) -> dict[str, int] | None:
    """How many operators of each kind XNNPACK leaves to LiteRT's own kernels; None where a bare interpreter refuses."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(str(path), num_threads=1)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError):
        return None
    taken = delegated(interpreter)
    return dict(Counter(one.kind for one in read_graph(path).operators if one.index not in taken).most_common())


def _short(text: str) -> str:
    return reason(text.removeprefix("segexport: "))
