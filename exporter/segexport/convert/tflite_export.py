"""ONNX → float32 TFLite."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from segexport.convert.child import Child, Progress
from segexport.errors import MissingExtraError

_WORKER = "segexport.convert.tflite_worker"


class Float32Converter:
    """The child process that turns ONNX into float32 TFLite; a context that kills it at the end.

    It takes seconds to load, so it is started before its ONNX file is there. `folder` is its playground; from `begin` on
    it has `limit_s` seconds.

    Raises:
        MissingExtraError: onnx2tf or tensorflow is not installed.
    """

    def __init__(self, folder: Path, *, limit_s: float) -> None:
        for module in ("onnx2tf", "tensorflow"):
            require(module)
        self._child = Child(_WORKER, folder, limit_s=limit_s)

    def begin(self, onnx_path: Path, target: Path) -> None:
        self._child.begin({"step": "TFLite", "onnx": str(onnx_path), "target": str(target)})

    def finish(self, progress: Progress) -> None:
        """Wait for its end.

        Raises:
            ConversionError: it failed or took longer than its limit.
        """
        self._child.result(progress)

    def __enter__(self) -> Float32Converter:
        return self

    def __exit__(self, *error: object) -> None:
        self._child.__exit__(*error)


def write_float32(onnx_path: Path, target: Path, folder: Path, *, limit_s: float, progress: Progress) -> None:
    """The whole conversion at once."""
    with Float32Converter(folder, limit_s=limit_s) as converter:
        converter.begin(onnx_path, target)
        converter.finish(progress)


def require(module: str) -> None:
    if find_spec(module) is None:
        raise MissingExtraError(module, "export")
