"""Three ways from a network to a float32 .tflite, each timed and each giving a file."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from peers.errors import PeerError
from segexport.convert.float32 import write_float32
from segexport.convert.setup.place import interpreter_of, versions_of
from segexport.errors import SegExportError
from segexport.process import start
from segexport.process.child import find_tools
from segexport.subject.deploy import Deployable

LONGEST_S = 3600.0
_CONVERT = Path(__file__).resolve().parent / "adapters" / "litert_torch_convert.py"


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
    """segexport's own step, by the converter that it tries first; its child process counts.

    Raises:
        PeerError: it failed.
    """
    folder.mkdir()
    target = folder / "ours.tflite"
    began = time.perf_counter()
    try:
        write_float32(source.onnx, target, folder, limit_s=LONGEST_S, progress=lambda _: None)
    except SegExportError as error:
        raise PeerError(str(error)) from error
    seconds = time.perf_counter() - began
    return Converted(seconds=seconds, file=target, packages={**_torch(), **versions_of("direct")})


def plain_onnx2tf(source: Source, folder: Path) -> Converted:
    """The command `onnx2tf -i`, nothing else, from the same environment; it writes a float16 file too.

    Raises:
        PeerError: it failed.
    """
    folder.mkdir()
    shutil.copy(source.onnx, folder / "network.onnx")
    began = time.perf_counter()
    _run([str(_python("direct")), "-m", "onnx2tf", "-i", "network.onnx"], folder)
    seconds = time.perf_counter() - began
    file = folder / "saved_model" / "network_float32.tflite"
    return Converted(seconds=seconds, file=file, packages=versions_of("direct"))


def litert_torch(source: Source, folder: Path) -> Converted:
    """Straight from PyTorch; importing PyTorch there and reading the network are not counted.

    Raises:
        PeerError: it failed.
    """
    folder.mkdir()
    network, target = folder / "network.pt2", folder / "litert.tflite"
    save_program(source.graph, source.size, network)
    answer = run_litert_torch(network, target)
    packages = {**versions_of("litert-torch"), **_torch()}
    return Converted(seconds=answer["convert_s"], file=target, packages=packages)


def save_program(graph: Deployable, size: int, path: Path) -> None:
    """What litert-torch reads."""
    torch.export.save(torch.export.export(graph, (torch.zeros(1, 3, size, size),)), path)


def run_litert_torch(network: Path, target: Path, pictures: Path | None = None) -> dict[str, Any]:
    """A process of its environment, see `adapters/litert_torch_convert.py`.

    Raises:
        PeerError: it failed, or is not installed.
    """
    python, tools = _python("litert-torch"), find_tools("torch")
    job = {"network": str(network), "target": str(target), "pictures": None if pictures is None else str(pictures)}
    said = _run([str(python), str(start.__file__), str(_CONVERT), *map(str, tools)], target.parent, json.dumps(job))
    return dict(json.loads(said.strip().splitlines()[-1]))


def _python(converter: str) -> Path:
    try:
        return interpreter_of(converter)
    except SegExportError as error:
        raise PeerError(str(error)) from error


def _run(command: list[str], folder: Path, given: str = "") -> str:
    """What it said, when it ended well."""
    try:
        done = subprocess.run(
            command, cwd=folder, input=given, capture_output=True, text=True, timeout=LONGEST_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"gave no file within {LONGEST_S:g} s") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise PeerError((lines[-1] if lines else f"ended with code {done.returncode} without a word")[:300])
    return done.stdout


def _torch() -> dict[str, str]:
    return {"torch": metadata.version("torch")}
