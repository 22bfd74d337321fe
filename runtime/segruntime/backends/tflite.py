"""TFLite files through ai-edge-litert, or tflite_runtime where only that is installed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segruntime.backends.protocol import TensorInfo
from segruntime.errors import BackendError, DelegateWarning, MissingExtraError
from segruntime.model_file.tflite_check import check_tflite


def _interpreter_module() -> Any:
    try:
        from ai_edge_litert import interpreter
    except ImportError:
        try:
            from tflite_runtime import interpreter
        except ImportError as error:
            raise MissingExtraError("a .tflite file", "ai-edge-litert", "tflite") from error
    return interpreter


class TfliteBackend:
    """A LiteRT interpreter with its tensors allocated."""

    name = "tflite"

    def __init__(self, interpreter: Any, library: str) -> None:
        self._interpreter = interpreter
        self.library = library
        self.inputs = [_info(detail) for detail in interpreter.get_input_details()]
        self.outputs = [_info(detail) for detail in interpreter.get_output_details()]
        self._input_index = interpreter.get_input_details()[0]["index"]
        self._shape = tuple(int(n) for n in interpreter.get_input_details()[0]["shape"])
        self._output_index = interpreter.get_output_details()[0]["index"]

    def run(self, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
        try:
            if tensor.shape != self._shape:  # a model that takes any size is stored with some
                self._interpreter.resize_tensor_input(self._input_index, tensor.shape, strict=True)
                self._interpreter.allocate_tensors()
                self._shape = tensor.shape
            self._interpreter.set_tensor(self._input_index, tensor)
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise BackendError(
                f"{self.library} fails to run the model ({_one_line(error)}); copy or export it again"
            ) from error
        return np.asarray(self._interpreter.get_tensor(self._output_index))


def open_tflite(path: Path, threads: int) -> TfliteBackend:
    """Load a .tflite; if its delegate (XNNPACK) fails to prepare, once more without it, with a warning.

    Raises:
        MissingExtraError: neither ai-edge-litert nor tflite_runtime is installed.
        ModelFileError: the file is cut off or damaged.
        BackendError: the interpreter refuses the file.
    """
    module = _interpreter_module()
    check_tflite(path)
    library = module.__name__.split(".")[0]
    try:
        return TfliteBackend(_allocate(module, path, threads, delegates=True), library)
    except (ValueError, RuntimeError) as error:
        first = _one_line(error)
    try:
        interpreter = _allocate(module, path, threads, delegates=False)
    except (ValueError, RuntimeError) as error:
        raise BackendError(
            f"{path}: {library} refuses it ({_one_line(error)}); the file is cut off, damaged or from another converter. "
            "Copy it again, or export it again with segexport"
        ) from error
    warnings.warn(DelegateWarning(path, first), stacklevel=2)
    return TfliteBackend(interpreter, library)


def _allocate(module: Any, path: Path, threads: int, *, delegates: bool) -> Any:
    options = {} if delegates else {"experimental_op_resolver_type": _plain_resolver(module)}
    interpreter = module.Interpreter(model_path=str(path), num_threads=threads, **options)
    interpreter.allocate_tensors()
    return interpreter


def _plain_resolver(module: Any) -> Any:
    return module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


def _info(detail: dict[str, Any]) -> TensorInfo:
    dtype = np.dtype(detail["dtype"]).name
    scale, zero_point = detail["quantization"]
    quantized = dtype in ("int8", "uint8", "int16") and scale > 0
    return TensorInfo(
        name=str(detail["name"]),
        shape=tuple(int(n) for n in detail["shape_signature"]),
        dtype=dtype,
        scale=float(scale) if quantized else None,
        zero_point=int(zero_point) if quantized else None,
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
