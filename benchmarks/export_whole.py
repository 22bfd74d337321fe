"""A whole export, checkpoint to four compared TFLite files, beside the plain command `onnx2tf` on the same network.

python benchmarks/export_whole.py [--network unet segresnet] [--size 256] [--calibration DIR] [--no-plain] [--json]

Random weights with the batch-norm statistics of drawn pictures. `segexport tflite` makes float32, float16, dynamic and int8
in a process of its own, comparison and report included; the memory of all its processes together is sampled twenty times
a second. Then `onnx2tf -i` converts the ONNX file that the export wrote: float32 and float16, compared with nothing.
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
import torch

from export_speed import time_plain
from segbench.machine import describe_machine
from segexport.networks import ARCHITECTURES
from segexport.pictures import draw_pictures

PRECISIONS = "float32,float16,dynamic,int8"
GOAL_S = {"unet": 120.0, "segresnet": 180.0}
GOAL_BYTES = 6e9
PICTURES = 48
SAMPLE_S = 0.05


def main() -> None:
    """Export each network, convert it the plain way, report."""
    options = _options()
    rows = [measure(name, options) for name in options.network]
    if options.json:
        print(json.dumps({"machine": describe_machine(), "networks": rows}, indent=1))
    else:
        for row in rows:
            _print(row)


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds and peak bytes of the export, seconds of the plain command."""
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
        plain = None if options.no_plain else time_plain(output / f"{name}.onnx", Path(folder) / "plain")
    return {
        "network": name,
        "parameters": parameters,
        "size": options.size,
        "export_s": seconds,
        "goal_s": GOAL_S.get(name),
        "peak_bytes": peak,
        "goal_bytes": GOAL_BYTES,
        "plain_onnx2tf_s": plain,
        "files": {row["precision"]: {k: row[k] for k in ("max_difference", "mask_iou", "pictures")} for row in rows},
    }


def save_random(name: str, size: int, path: Path) -> int:
    """The architecture's usual member with random weights; gives its number of parameters."""
    torch.manual_seed(3)
    module = ARCHITECTURES[name].plan({}).module.to_empty(device="cpu")
    for part in module.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = None  # plain averages
    pictures = [cv2.resize(picture, (size, size))[:, :, ::-1] / 127.5 - 1 for picture in draw_pictures(2)]
    with torch.inference_mode():
        for picture in pictures:
            module.train()(torch.from_numpy(picture.transpose(2, 0, 1)[None]).float())
    torch.save(module.state_dict(), path)
    return sum(parameter.numel() for parameter in module.parameters())


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
    plain = "not run" if row["plain_onnx2tf_s"] is None else f"{row['plain_onnx2tf_s']:.0f} s"
    goal = "" if row["goal_s"] is None else f"  goal ≤ {row['goal_s']:.0f} s"
    print(f"{row['network']}, {row['parameters'] / 1e6:.1f} M parameters, {row['size']}x{row['size']}")
    print(f"  segexport tflite, {PRECISIONS}, compared   {row['export_s']:6.0f} s{goal}")
    peak = f"{row['peak_bytes'] / 1e9:.2f} GB  goal ≤ {GOAL_BYTES / 1e9:.0f} GB"
    print(f"  peak memory of all its processes                     {peak}")
    print(f"  onnx2tf -i, float32 and float16, nothing compared    {plain}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A whole export beside the plain onnx2tf command.")
    parser.add_argument("--network", nargs="+", choices=list(ARCHITECTURES), default=["unet", "segresnet"])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--calibration", type=Path, help="a folder of pictures; default: drawn ones")
    parser.add_argument("--no-plain", action="store_true", help="leave the plain command out: it takes minutes")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
