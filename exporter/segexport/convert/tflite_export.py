"""ONNX → float32 TFLite."""

from __future__ import annotations

import shutil
from pathlib import Path

from segexport.convert.child import Child, Progress, find_tools
from segexport.convert.structure import check_structure

_WORKER = Path(__file__).with_name("tflite_worker.py")
_STEP = "TFLite"


class Float32Converter:
    """The child process that turns ONNX into float32 TFLite; a context that kills it at the end.

    It takes seconds to load, so it is started before its ONNX file is there. Its room is made in `playground`; from `begin`
    on it has `limit_s` seconds.

    Raises:
        MissingExtraError: onnx2tf or tensorflow is not installed.
    """

    def __init__(self, playground: Path, *, limit_s: float) -> None:
        self._child = Child(_WORKER, playground, limit_s=limit_s, tools=find_tools("onnx2tf", "tensorflow"))

    def begin(self, onnx_path: Path, target: Path) -> None:
        """It gets a copy: onnx2tf writes into its ONNX file."""
        self._target = target
        shutil.copyfile(onnx_path, self._child.folder / "network.onnx")
        self._child.begin({"step": _STEP, "onnx": "network.onnx", "target": "network.tflite"})

    def finish(self, progress: Progress) -> None:
        """Wait for its end, and put the file in its place.

        Raises:
            ConversionError: it failed, took longer than its limit, or made a file with numbers that are none.
        """
        self._child.result(progress)
        shutil.copyfile(self._child.folder / "network.tflite", self._target)
        check_structure(self._target, _STEP)

    def __enter__(self) -> Float32Converter:
        return self

    def __exit__(self, *error: object) -> None:
        self._child.__exit__(*error)


def write_float32(onnx_path: Path, target: Path, playground: Path, *, limit_s: float, progress: Progress) -> None:
    """The whole conversion at once."""
    with Float32Converter(playground, limit_s=limit_s) as converter:
        converter.begin(onnx_path, target)
        converter.finish(progress)
