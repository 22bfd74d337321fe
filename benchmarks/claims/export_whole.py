"""A whole export, checkpoint to four compared TFLite files: seconds, and memory.

python benchmarks/claims/export_whole.py [--network unet segresnet] [--size 256] [--calibration DIR] [--json]

Random weights with the batch-norm statistics of drawn pictures. `segexport tflite` makes float32, float16, dynamic and int8
in a process of its own, comparison and report included; the memory of all its processes together is sampled twenty times
a second.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import psutil

from peers.export_networks import save_random
from segbench.machine.describe import describe_machine
from segexport.networks import ARCHITECTURES
from segexport.pictures.files import draw_pictures

PRECISIONS = "float32,float16,dynamic,int8"
GOAL_S = {"unet": 50.0, "segresnet": 60.0}
GOAL_BYTES = {"unet": 3e9}
PICTURES = 48
SAMPLE_S = 0.05


def main() -> None:
    """Export each network, report."""
    options = _options()
    rows = [measure(name, options) for name in options.network]
    if options.json:
        print(json.dumps({"machine": describe_machine().to_json(), "networks": rows}, indent=1))
    else:
        for row in rows:
            _print(row)


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds and peak bytes of the export."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / f"{name}.pth"
        parameters = save_random(name, options.size, checkpoint)
        pictures = options.calibration or _drawn(Path(folder) / "pictures")
        output = Path(folder) / "out"
        words = ["tflite", str(checkpoint), "--calibration", str(pictures), "--output", str(output)]
        words += ["--preprocess", "imagenet", "--precision", PRECISIONS, "--size", str(options.size)]
        seconds, peak, rows = export(words)
        wrong = [row["name"] for row in rows if row["precision"] == "float32" and not row["within_bound"]]
        if wrong:
            raise SystemExit(f"export_whole: {wrong[0]} is not the network; nothing to be proud of in its time")
    return {
        "network": name,
        "parameters": parameters,
        "size": options.size,
        "export_s": seconds,
        "goal_s": GOAL_S.get(name),
        "peak_bytes": peak,
        "goal_bytes": GOAL_BYTES.get(name),
        "files": {row["precision"]: {k: row[k] for k in ("max_difference", "mask_iou", "pictures")} for row in rows},
    }


def export(words: list[str]) -> tuple[float, int, list[dict[str, Any]]]:
    """Run segexport; seconds, the largest sum of its processes' resident memory, and the report's files."""
    command = [sys.executable, "-m", "segexport", *words, "--allow-inaccurate", "--json"]
    started, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            peak = max(peak, _resident(process.pid))
            time.sleep(SAMPLE_S)
        seconds = time.perf_counter() - started
        out.seek(0)
        if process.returncode != 0:
            raise SystemExit(f"export_whole: segexport ended with code {process.returncode}; run it by hand: {command}")
        return seconds, peak, json.load(out)["files"]


def _resident(pid: int) -> int:
    try:
        parent = psutil.Process(pid)
        return sum(p.memory_info().rss for p in (parent, *parent.children(recursive=True)))
    except psutil.Error:
        return 0


def _drawn(folder: Path) -> Path:
    folder.mkdir()
    for index, picture in enumerate(draw_pictures(PICTURES)):
        cv2.imwrite(str(folder / f"{index:02}.png"), picture)
    return folder


def _print(row: dict[str, Any]) -> None:
    goal_s = "" if row["goal_s"] is None else f"  goal ≤ {row['goal_s']:.0f} s"
    goal_bytes = "" if row["goal_bytes"] is None else f"  goal ≤ {row['goal_bytes'] / 1e9:.0f} GB"
    print(f"{row['network']}, {row['parameters'] / 1e6:.1f} M parameters, {row['size']}x{row['size']}")
    print(f"  segexport tflite, {PRECISIONS}, compared   {row['export_s']:6.0f} s{goal_s}")
    print(f"  peak memory of all its processes                     {row['peak_bytes'] / 1e9:.2f} GB{goal_bytes}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A whole export: seconds and memory.")
    parser.add_argument("--network", nargs="+", choices=list(ARCHITECTURES), default=["unet", "segresnet"])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--calibration", type=Path, help="a folder of pictures; default: drawn ones")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
