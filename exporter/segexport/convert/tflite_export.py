"""ONNX → float32 TFLite."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from segexport.convert.child import Child, Progress
from segexport.errors import MissingExtraError


def start_float32(onnx_path: Path, target: Path, folder: Path, *, limit_s: float) -> Child:
    """Begin to write `target`; `folder` is the converter's playground.

    Its `result` waits for the end and raises ConversionError where it failed or took longer than `limit_s` seconds.

    Raises:
        MissingExtraError: onnx2tf or tensorflow is not installed.
    """
    for module in ("onnx2tf", "tensorflow"):
        require(module)
    job = {"step": "TFLite", "onnx": str(onnx_path), "target": str(target)}
    return Child("segexport.convert.tflite_worker", job, folder, limit_s=limit_s)


def write_float32(onnx_path: Path, target: Path, folder: Path, *, limit_s: float, progress: Progress) -> None:
    """`start_float32`, and wait for its end."""
    with start_float32(onnx_path, target, folder, limit_s=limit_s) as child:
        child.result(progress)


def require(module: str) -> None:
    if find_spec(module) is None:
        raise MissingExtraError(module, "export")
