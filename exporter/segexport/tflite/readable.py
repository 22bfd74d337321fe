"""A float model file that shows, next to its answer, what its GREATER_EQUALs said: there an unpool's choices can be read."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from segruntime.backends.onnx import import_onnxruntime

Image: TypeAlias = npt.NDArray[np.float32]
"""`(1, 3, H, W) float32, RGB, 0–1`."""
Answer: TypeAlias = tuple[npt.NDArray[np.float32], list[npt.NDArray[np.bool_]]]
"""The person's probability, the last channel, `(h, w) float32`, and the output of each GREATER_EQUAL `(N, C, H, W) bool`."""


def open_readable(path: Path) -> Callable[[Image], Answer]:
    """A function from picture to answer, with the kernels that the file's users get."""
    return _open_onnx(path) if path.suffix == ".onnx" else _open_tflite(path)


def _open_onnx(path: Path) -> Callable[[Image], Answer]:
    import onnx

    onnxruntime = import_onnxruntime()
    model = onnx.load(path)
    output, image = model.graph.output[0].name, model.graph.input[0].name
    names = [node.output[0] for node in model.graph.node if node.op_type == "GreaterOrEqual"]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.BOOL, None) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def run(picture: Image) -> Answer:
        probability, *said = session.run([output, *names], {image: picture})
        return probability[0, -1], [array for array in said if array.ndim == 4]

    return run


def _open_tflite(path: Path) -> Callable[[Image], Answer]:
    """Of the interpreter that users get (XNNPACK leaves comparisons to the plain kernels) with nothing overwritten."""
    from ai_edge_litert.interpreter import Interpreter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that keeping all tensors takes memory
        interpreter = Interpreter(str(path), experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    (image,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    places = _comparisons(path)

    def run(picture: Image) -> Answer:
        interpreter.set_tensor(image["index"], np.ascontiguousarray(picture.transpose(0, 2, 3, 1)))
        interpreter.invoke()
        said = [interpreter.get_tensor(index) for index in places]
        probability = np.asarray(interpreter.get_tensor(output["index"]), np.float32)
        # a converter may have left some with the channels in front: who looks for one goes by its shape
        both = [form for array in said if array.ndim == 4 for form in (array.transpose(0, 3, 1, 2), array)]
        return probability[0, :, :, -1], both

    return run


def _comparisons(path: Path) -> list[int]:
    """Indices of what the GREATER_EQUALs give; a delegate would hide operators from the list."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain: Any = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    return [int(op["outputs"][0]) for op in plain._get_ops_details() if op["op_name"] == "GREATER_EQUAL"]
