"""Three ways from a network to a float32 .tflite, each timed and each giving a file."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from export_speed import plain_file, time_ours, time_plain
from peers.child import BENCHMARKS
from peers.environment import Environment
from peers.errors import PeerError
from segexport.deploy import Deployable
from segexport.errors import SegExportError

LONGEST_S = 3600.0
LITERT_TORCH = Environment(
    name="litert-torch",
    # the same torch as ours, and where pip finds it, the one without CUDA
    requirements=("litert-torch==0.10.0", f"torch=={metadata.version('torch').partition('+')[0]}"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """`graph` takes `(1, 3, size, size)`; `onnx` is its file, and `onnx_s` what writing that took."""

    graph: Deployable
    size: int
    onnx: Path
    onnx_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """`seconds` without those of the ONNX file."""

    seconds: float
    file: Path
    packages: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """`convert(source, folder)` works in a new folder. `through_onnx`: the ONNX file's seconds belong to it."""

    name: str
    title: str
    convert: Callable[[Source, Path], Converted]
    through_onnx: bool


def ours(source: Source, folder: Path) -> Converted:
    """segexport's own step.

    Raises:
        PeerError: it failed.
    """
    try:
        seconds = time_ours(source.onnx, folder)
    except SegExportError as error:
        raise PeerError(str(error)) from error
    return Converted(seconds=seconds, file=folder / "ours.tflite", packages=_versions("onnx2tf", "tensorflow", "torch"))


def plain_onnx2tf(source: Source, folder: Path) -> Converted:
    """The command `onnx2tf -i`, nothing else.

    Raises:
        PeerError: it failed.
    """
    try:
        seconds = time_plain(source.onnx, folder)
    except SystemExit as error:
        raise PeerError(str(error).removeprefix("export_speed: ")) from error
    return Converted(seconds=seconds, file=plain_file(folder), packages=_versions("onnx2tf", "tensorflow"))


def litert_torch(source: Source, folder: Path, *, python: Path) -> Converted:
    """Straight from PyTorch, in an environment of its own; importing PyTorch there and reading the network are not counted.

    Raises:
        PeerError: it failed.
    """
    folder.mkdir()
    network, target = folder / "network.pt2", folder / "litert.tflite"
    torch.export.save(torch.export.export(source.graph, (torch.zeros(1, 3, source.size, source.size),)), network)
    script = BENCHMARKS / "peers" / "adapters" / "litert_torch_convert.py"
    command = [str(python), str(script), str(network), str(source.size), str(target)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"gave no file within {LONGEST_S:g} s") from error
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    if done.returncode or not lines:
        raise PeerError((lines[-1] if lines else f"ended with code {done.returncode} without a word")[:300])
    answer: dict[str, Any] = json.loads(lines[-1])
    return Converted(seconds=answer["seconds"], file=target, packages=answer["packages"])


def _versions(*packages: str) -> dict[str, str]:
    return {name: metadata.version(name) for name in packages}
