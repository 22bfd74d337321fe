"""The interpreters that can run a model file. To add one: a file here and a line in `BACKENDS`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from segruntime.backends.onnx import open_onnx
from segruntime.backends.protocol import Backend, TensorInfo
from segruntime.backends.tflite import open_tflite

BACKENDS: dict[str, Callable[[Path, int], Backend]] = {
    "tflite": open_tflite,
    "onnx": open_onnx,
}

__all__ = ["BACKENDS", "Backend", "TensorInfo"]
