"""A whole export, checkpoint to four compared TFLite files: seconds, and memory.

python benchmarks/claims/export_whole.py [--network NAME]… [--size 256] [--calibration DIR] [--json]

Random weights with the batch-norm statistics of drawn pictures. `segexport tflite` makes float32, float16, dynamic and int8
in a process of its own, comparison and report included; the memory of all its processes together is sampled twenty times
a second.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import cv2
import psutil

from claim import Result, claim
from peers.export_networks import save_random
from segexport.networks import ARCHITECTURES
from segexport.pictures.files import draw_pictures

PRECISIONS = "float32,float16,dynamic,int8"
GOAL_S = {"unet": 50.0, "segresnet": 60.0}
GOAL_BYTES = {"unet": 3e9}
PICTURES = 48
SAMPLE_S = 0.05


def measure(name: str, size: int, calibration: Path | None) -> Result:
    """Seconds and peak bytes of the export."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / f"{name}.pth"
        parameters = save_random(name, size, checkpoint)
        pictures = calibration or _drawn(Path(folder) / "pictures")
        output = Path(folder) / "out"
        words = ["tflite", str(checkpoint), "--calibration", str(pictures), "--output", str(output)]
        words += ["--preprocess", "imagenet", "--precision", PRECISIONS, "--size", str(size)]
        seconds, peak, rows = export(words)
        wrong = [row["name"] for row in rows if row["precision"] == "float32" and not row["within_bound"]]
        if wrong:
            raise SystemExit(f"export_whole: {wrong[0]} is not the network; nothing to be proud of in its time")
    return {
        "network": name,
        "parameters": parameters,
        "size": size,
        "export_s": seconds,
        "goal_s": GOAL_S.get(name),
        "peak_bytes": peak,
        "goal_bytes": GOAL_BYTES.get(name),
        "files": {row["precision"]: {k: row[k] for k in ("max_difference", "mask_iou", "pictures")} for row in rows},
    }


def export(words: list[str]) -> tuple[float, int, list[Result]]:
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


def _print(row: Result) -> None:
    goal_s = "" if row["goal_s"] is None else f"  goal ≤ {row['goal_s']:.0f} s"
    goal_bytes = "" if row["goal_bytes"] is None else f"  goal ≤ {row['goal_bytes'] / 1e9:.0f} GB"
    print(f"{row['network']}, {row['parameters'] / 1e6:.1f} M parameters, {row['size']}x{row['size']}")
    print(f"  segexport tflite, {PRECISIONS}, compared   {row['export_s']:6.0f} s{goal_s}")
    print(f"  peak memory of all its processes                     {row['peak_bytes'] / 1e9:.2f} GB{goal_bytes}")


def print_result(result: Result) -> None:
    for row in result["networks"]:
        _print(row)


@claim(print_result)
@click.option(
    "--network",
    "networks",
    multiple=True,
    type=click.Choice(list(ARCHITECTURES)),
    default=("unet", "segresnet"),
    show_default=True,
    help="May be repeated.",
)
@click.option("--size", default=256, show_default=True)
@click.option("--calibration", type=click.Path(path_type=Path), help="A folder of pictures; default: drawn ones.")
def main(networks: tuple[str, ...], size: int, calibration: Path | None) -> Result:
    """A whole export: seconds and memory."""
    return {"networks": [measure(name, size, calibration) for name in networks]}


if __name__ == "__main__":
    main()
