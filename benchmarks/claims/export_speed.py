"""Checkpoint → proven float32 TFLite: the whole command `segexport tflite` against litert-torch with a comparison, in turn.

python benchmarks/claims/export_speed.py [--network NAME]… [--size 256] [--repeats 3] [--json]

demo: examples/portrait_unet.pth; unet31m: a U-Net with random weights and the batch-norm statistics of drawn pictures.
Both sides run in fresh processes and are timed from start to end. Ours: `segexport tflite CKPT --preprocess imagenet
--precision float32` makes the ONNX file, the float32 file and the report, and compares both files with PyTorch on 8 drawn
pictures. litert-torch's: it loads the network, which torch.export has saved before, converts it, and runs the file and the
network on as many of the same pictures; there is neither an ONNX file nor a report.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import click
import numpy as np

from claim import Result, claim
from peers.errors import PeerError
from peers.export_networks import (
    LARGEST_DIFFERENCE,
    NETWORKS,
    checkpoint_of,
    count_parameters,
    drawn_pictures,
    load_graph,
)
from peers.export_ways import Source, ours, run_litert_torch, save_program
from segexport.convert.trace.onnx_export import write_onnx
from segexport.pictures.calibration import DRAWN
from segexport.proof import LARGE, LARGE_PICTURES

GOAL_RATIO = {"unet31m": 0.8}
GOAL_S = {"demo": 8.0}


def measure(name: str, size: int, repeats: int) -> Result:
    """Both whole ways and both conversions alone, in turn; who begins changes each time.

    Raises:
        PeerError: one of them failed.
    """
    values: dict[str, list[float]] = {"ours_s": [], "litert_torch_s": [], "step_s": [], "litert_torch_convert_s": []}
    differences = {"ours": 0.0, "litert_torch": 0.0}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        checkpoint = checkpoint_of(name, size, folder)
        graph = load_graph(checkpoint)
        program, pictures = folder / "network.pt2", folder / "pictures.npy"
        many = sum(weights.numel() for weights in graph.parameters()) > LARGE
        np.save(pictures, drawn_pictures(LARGE_PICTURES if many else DRAWN, size))
        source = Source(graph=graph, size=size, onnx=folder / "network.onnx", onnx_s=0.0)
        onnx_s = _seconds(lambda: write_onnx(graph, size, size, source.onnx))
        save_program(graph, size, program)

        def run_ours(k: int) -> None:
            began = time.perf_counter()
            difference = run_segexport(checkpoint, size, folder / f"out{k}")
            values["ours_s"].append(time.perf_counter() - began)
            differences["ours"] = max(differences["ours"], difference)
            values["step_s"].append(ours(source, folder / f"step{k}").seconds)

        def run_theirs(_: int) -> None:
            began = time.perf_counter()
            answer = run_litert_torch(program, folder / "litert.tflite", pictures)
            values["litert_torch_s"].append(time.perf_counter() - began)
            differences["litert_torch"] = max(differences["litert_torch"], answer["difference"])
            values["litert_torch_convert_s"].append(answer["convert_s"])

        for k in range(repeats):
            for run in (run_ours, run_theirs) if k % 2 == 0 else (run_theirs, run_ours):
                run(k)
    ratios = [a / b for a, b in zip(values["ours_s"], values["litert_torch_s"], strict=True)]
    return {
        "network": name,
        "parameters": count_parameters(graph.network),
        "size": size,
        "onnx_s": onnx_s,
        **values,
        "ratios": ratios,
        "goal_ratio": GOAL_RATIO.get(name),
        "goal_s": GOAL_S.get(name),
        "largest_difference": differences,
    }


def run_segexport(checkpoint: Path, size: int, output: Path) -> float:
    """The whole command in a process of its own; the float32 file's largest difference from PyTorch.

    Raises:
        PeerError: it failed.
    """
    words = ["tflite", str(checkpoint), "--preprocess", "imagenet", "--precision", "float32", "--size", str(size)]
    command = [sys.executable, "-m", "segexport", *words, "--output", str(output), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerError(f"segexport ended with code {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    (row,) = (row for row in json.loads(done.stdout)["files"] if row["precision"] == "float32")
    return float(row["max_difference"])


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _print(row: Result) -> None:
    ratio = f"{median(row['ratios']):.2f} ({min(row['ratios']):.2f}–{max(row['ratios']):.2f})"
    goal = {name: "" if row[name] is None else f"   goal ≤ {row[name]:g}" for name in ("goal_s", "goal_ratio")}
    print(f"{row['network']}, {row['parameters'] / 1e6:.1f} M parameters, {row['size']}x{row['size']}")
    print(f"  segexport tflite, float32, compared, reported    {median(row['ours_s']):7.1f} s{goal['goal_s']}")
    print(f"  litert-torch, converted and compared             {median(row['litert_torch_s']):7.1f} s")
    print(f"  ours / litert-torch's, of {len(row['ratios'])} turns                   {ratio}{goal['goal_ratio']}")
    print(f"  our ONNX → float32 TFLite alone                  {median(row['step_s']):7.1f} s")
    print(f"  PyTorch → our ONNX file alone, once              {row['onnx_s']:7.1f} s")
    print(f"  litert-torch's PyTorch → float32 TFLite alone    {median(row['litert_torch_convert_s']):7.1f} s")
    print(f"  largest difference from PyTorch: {row['largest_difference']}")


def print_result(result: Result) -> None:
    for row in result["networks"]:
        _print(row)


def not_the_network(result: Result) -> str | None:
    for row in result["networks"]:
        if max(row["largest_difference"].values()) > LARGEST_DIFFERENCE:
            expected = f"expected differences ≤ {LARGEST_DIFFERENCE}"
            return f"a file is not the network, {expected}: {row['largest_difference']}"
    return None


@claim(print_result, not_the_network)
@click.option("--network", "networks", multiple=True, type=click.Choice(list(NETWORKS)), help="Default: all.")
@click.option("--size", default=256, show_default=True)
@click.option("--repeats", default=3, show_default=True)
def main(networks: tuple[str, ...], size: int, repeats: int) -> Result:
    """segexport's whole command against litert-torch's conversion."""
    return {"networks": [measure(name, size, repeats) for name in networks or NETWORKS]}


if __name__ == "__main__":
    main()
