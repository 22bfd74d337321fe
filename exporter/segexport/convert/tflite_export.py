"""ONNX → float32 and float16 TFLite."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from segexport.convert.child import Child, Progress
from segexport.errors import MissingExtraError


def start_float_tflite(onnx_path: Path, files: Mapping[str, Path], folder: Path, *, limit_s: float) -> Child:
    """Begin to convert to each of `files` (`{"float32": path, "float16": path}`); `folder` is the converter's playground.

    Its `result` waits for the end and raises ConversionError where it failed or took longer than `limit_s` seconds.

    Raises:
        MissingExtraError: onnx2tf or tensorflow is not installed.
    """
    for module in ("onnx2tf", "tensorflow"):
        require(module)
    job = {"step": "TFLite", "onnx": str(onnx_path), "files": {name: str(path) for name, path in files.items()}}
    return Child("segexport.convert.tflite_worker", job, folder, limit_s=limit_s)


def write_float_tflite(
    onnx_path: Path, files: Mapping[str, Path], folder: Path, *, limit_s: float, progress: Progress
) -> None:
    """`start_float_tflite`, and wait for its end."""
    with start_float_tflite(onnx_path, files, folder, limit_s=limit_s) as child:
        child.result(progress)


def require(module: str) -> None:
    if find_spec(module) is None:
        raise MissingExtraError(module, "export")
