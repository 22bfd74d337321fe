"""ONNX → float32 TFLite: our step against the plain command `onnx2tf -i unet.onnx`, on the same file in the same run.

python benchmarks/export_speed.py [--widths 64 128 256 512] [--size 256] [--json]

A U-Net with random weights and the batch-norm statistics of drawn pictures: 31 M parameters at the default widths, and about
8 minutes, nearly all of them in the plain command. Both files are held against PyTorch. Our step is measured before and
after the plain command, child process included, and the mean of the two is taken.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

import segruntime
from segbench.frames import Frame, drawn_frame
from segbench.machine import describe_machine
from segbench.mask_check import check_mask
from segexport.convert.float32 import write_float32
from segexport.convert.onnx_export import write_onnx
from segexport.deploy import Deployable, PersonProbability
from segexport.networks.unet import UNet
from segexport.presets import PREPROCESSING
from segruntime.contract import EXAMPLE, Contract

GOAL = 1 / 6
LARGEST_DIFFERENCE = 2e-3  # of a probability
LIMIT_S = 3600.0
SAMPLES = "calibration_image_sample_data_20x128x128x3_float32.npy"  # onnx2tf downloads it where it is not there


def main() -> None:
    """Build, convert twice, compare, report."""
    options = _options()
    graph = build_graph(options.widths, options.size)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        onnx = folder / "unet.onnx"
        write_onnx(graph, options.size, options.size, onnx)
        before_s = time_ours(onnx, folder / "before")
        plain_s = time_plain(onnx, folder / "plain")
        after_s = time_ours(onnx, folder / "after")
        files = {"ours": folder / "after" / "ours.tflite", "plain": plain_file(folder / "plain")}
        differences = {who: difference(graph, file, options.size) for who, file in files.items()}
        onnx_bytes = onnx.stat().st_size
    ours_s = (before_s + after_s) / 2
    result = {
        "widths": options.widths,
        "size": options.size,
        "parameters": sum(p.numel() for p in graph.network.parameters()),
        "onnx_bytes": onnx_bytes,
        "ours_s": ours_s,
        "ours_values_s": [before_s, after_s],
        "plain_s": plain_s,
        "ratio": ours_s / plain_s,
        "goal": GOAL,
        "met": ours_s / plain_s <= GOAL,
        "largest_difference_from_pytorch": differences,
    }
    _report(result, as_json=options.json)
    if max(differences.values()) > LARGEST_DIFFERENCE:
        raise SystemExit(
            f"export_speed: a file is not the network, expected differences ≤ {LARGEST_DIFFERENCE}: {differences}"
        )


def build_graph(widths: list[int], size: int) -> Deployable:
    """The deployable graph of a random U-Net whose batch norms have seen pictures, so that no layer fades out."""
    torch.manual_seed(3)
    network = UNet(widths)
    graph = Deployable(network, PREPROCESSING["imagenet"], "rgb", PersonProbability("sigmoid", 1, 0))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # plain averages
    with torch.inference_mode():
        for seed in range(2):
            graph.train()(_tensor(drawn_frame(size, size, seed)))
    return graph.eval().requires_grad_(False)


def time_ours(onnx: Path, folder: Path) -> float:
    """Seconds of the exporter's own step, its child process included."""
    folder.mkdir()
    start = time.perf_counter()
    write_float32(onnx, folder / "ours.tflite", folder, limit_s=LIMIT_S, progress=lambda _: None)
    return time.perf_counter() - start


def time_plain(onnx: Path, folder: Path) -> float:
    """Seconds of `onnx2tf -i unet.onnx` in a folder of its own."""
    folder.mkdir()
    shutil.copy(onnx, folder / onnx.name)
    np.save(folder / SAMPLES, np.random.default_rng(0).random((20, 128, 128, 3), np.float32))
    command = shutil.which("onnx2tf", path=str(Path(sys.executable).parent)) or "onnx2tf"
    start = time.perf_counter()
    done = subprocess.run([command, "-i", onnx.name], cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise SystemExit(f"export_speed: onnx2tf ended with code {done.returncode}: {words}")
    return seconds


def difference(graph: Deployable, tflite: Path, size: int) -> float:
    """The largest difference of the probability between PyTorch and a float32 .tflite, on the drawn frame."""
    frame = drawn_frame(size, size)
    segmenter = segruntime.load(tflite, contract=_contract(size))
    ours = segmenter.probability(segmenter.invoke(segmenter.preprocess(frame)))
    return float(np.abs(ours - _pytorch(graph, frame)).max())


def _pytorch(graph: Deployable, frame: Frame) -> npt.NDArray[np.float32]:
    with torch.inference_mode():
        probability = np.asarray(graph(_tensor(frame))[0, 0].numpy(), np.float32)
    check_mask(probability, "the network", "the drawn frame")
    return probability


def _tensor(frame: Frame) -> torch.Tensor:
    """`(H, W, 3) uint8, BGR` → `(1, 3, H, W) float32, RGB, 0–1`."""
    rgb = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.float32) / 255
    return torch.from_numpy(rgb.transpose(2, 0, 1)[None])


def _contract(size: int) -> Contract:
    return replace(
        EXAMPLE,
        input=replace(EXAMPLE.input, width=size, height=size),
        output=replace(EXAMPLE.output, width=size, height=size),
    )


def plain_file(folder: Path) -> Path:
    """The float32 file that `time_plain` left in `folder`."""
    return next(folder.glob("saved_model/*_float32.tflite"))


def _report(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"machine": describe_machine(), **result}, indent=1))
        return
    print(
        f"U-Net {'-'.join(map(str, result['widths']))}, {result['parameters'] / 1e6:.1f} M parameters, size {result['size']}"
    )
    print(f"our ONNX → float32 TFLite   {result['ours_s']:8.1f} s")
    print(f"onnx2tf -i unet.onnx        {result['plain_s']:8.1f} s")
    print(
        f"ours / plain                {result['ratio']:8.3f}     goal ≤ {GOAL:.3f}{'' if result['met'] else '  (not met)'}"
    )
    print(f"largest difference from PyTorch: {result['largest_difference_from_pytorch']}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Our conversion step against the plain onnx2tf command.")
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
