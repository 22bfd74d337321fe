"""ONNX → float32 and float16 TFLite, float32 TFLite → int8."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segexport.convert.child import Progress, run_child
from segexport.errors import MissingExtraError


def write_float_tflite(
    onnx_path: Path, files: Mapping[str, Path], folder: Path, *, limit_s: float, progress: Progress
) -> None:
    """Convert to each of `files` (`{"float32": path, "float16": path}`); `folder` is the converter's playground.

    Raises:
        MissingExtraError: onnx2tf or tensorflow is not installed.
        ConversionError: it failed or took longer than `limit_s` seconds.
    """
    for module in ("onnx2tf", "tensorflow"):
        _require(module)
    job = {"step": "TFLite", "onnx": str(onnx_path), "files": {name: str(path) for name, path in files.items()}}
    run_child("segexport.convert.tflite_worker", job, folder, limit_s=limit_s, progress=progress)


def write_int8_tflite(
    float32: Path, int8: Path, pictures: npt.NDArray[np.float32], folder: Path, *, limit_s: float, progress: Progress
) -> tuple[str, ...]:
    """Quantize with ranges from `pictures` `(N, H, W, 3) float32, RGB, 0–1`; gives the layers that had to stay in float.

    Raises:
        MissingExtraError: ai-edge-quantizer is not installed.
        ConversionError: it failed or took longer than `limit_s` seconds.
    """
    _require("ai_edge_quantizer")
    stored = folder / "pictures.npy"
    np.save(stored, pictures)
    job: dict[str, Any] = {"step": "int8", "float32": str(float32), "int8": str(int8), "pictures": str(stored)}
    result = run_child("segexport.convert.int8_worker", job, folder, limit_s=limit_s, progress=progress)
    stored.unlink()
    return tuple(result["float_layers"])


def _require(module: str) -> None:
    if find_spec(module) is None:
        raise MissingExtraError(module, "export")
