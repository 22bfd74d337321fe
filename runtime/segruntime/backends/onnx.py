"""ONNX files through onnxruntime, on the CPU."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segruntime.backends.protocol import TensorInfo
from segruntime.errors import BackendError, MissingExtraError

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}
_QUIET = 3  # errors only


def import_onnxruntime() -> Any:
    """The module onnxruntime, without its telemetry: from 1.32 on its Linux files carry a client that begins on import.

    Anyone who uses onnxruntime next to this backend imports it here. Raises ImportError where it is not installed.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


class OnnxBackend:
    """An onnxruntime session."""

    name = "onnx"
    library = "onnxruntime"

    def __init__(self, session: Any) -> None:
        self._session = session
        self.inputs = [_info(value) for value in session.get_inputs()]
        self.outputs = [_info(value) for value in session.get_outputs()]
        self._output_names = [self.outputs[0].name]

    def run(self, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray(self._session.run(self._output_names, {self.inputs[0].name: tensor})[0])


def open_onnx(path: Path, threads: int) -> OnnxBackend:
    """Load an .onnx for the CPU.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        BackendError: onnxruntime refuses the file.
    """
    try:
        onnxruntime = import_onnxruntime()
    except ImportError as error:
        raise MissingExtraError("an .onnx file", "onnxruntime", "onnx") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _QUIET
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no other base
        message = " ".join(str(error).split())[:300]
        raise BackendError(
            f"{path}: onnxruntime refuses it ({message}); the file is cut off, damaged or newer than this onnxruntime. "
            "Copy it again, export it again, or update onnxruntime"
        ) from error
    return OnnxBackend(session)


def _info(value: Any) -> TensorInfo:
    shape = tuple(n if isinstance(n, int) else -1 for n in value.shape)
    return TensorInfo(name=value.name, shape=shape, dtype=_DTYPES.get(value.type, value.type))
