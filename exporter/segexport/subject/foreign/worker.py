"""Child process in which onnx and onnxruntime look at a foreign .onnx: what in them a file can crash, it crashes here."""

from __future__ import annotations

import gc
import math
from functools import lru_cache
from typing import Any

import numpy as np

from segexport.process.worker import Say, serve

_QUIET = 4  # fatal errors only; the others arrive as exceptions
_MOST_SAID = 1000


def _work(job: dict[str, Any], _: Say) -> dict[str, Any]:
    """`do` with the file `model`; `{"refused": …}` where the library raises: a file's fault is no failure of the child."""
    try:
        return {"check": _check, "giant": _giant, "run": _run}[job["do"]](job)
    except Exception as error:  # noqa: BLE001 the libraries' exceptions share no other base
        return {"refused": " ".join(str(error).split())[:_MOST_SAID] or type(error).__name__}


def _check(job: dict[str, Any]) -> dict[str, Any]:
    import onnx

    onnx.checker.check_model(_read(job["model"]))
    return {}


def _giant(job: dict[str, Any]) -> dict[str, Any]:
    """The first value, as far as shapes can be told without running anything, that has more than `most` elements."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(_read(job["model"]), data_prop=True)
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        extents = [int(dimension.dim_value) for dimension in value.type.tensor_type.shape.dim]
        if all(extents) and math.prod(extents) > job["most"]:
            return {"name": value.name, "shape": extents}
    return {}


def _run(job: dict[str, Any]) -> dict[str, Any]:
    """All outputs for one image, into files whose names are given back."""
    session = _session(job["model"])
    values = session.run(None, {session.get_inputs()[0].name: np.load(job["image"], allow_pickle=False)})
    names = [f"output{index}.npy" for index in range(len(values))]
    for name, value in zip(names, values, strict=True):
        np.save(name, np.asarray(value), allow_pickle=False)
    return {"outputs": names}


@lru_cache(maxsize=1)
def _session(model: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _QUIET
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _read(model: str) -> Any:
    import onnx

    with open(model, "rb") as file:
        return onnx.ModelProto.FromString(file.read())


def _load() -> None:
    import onnx
    import onnxruntime

    del onnx, onnxruntime
    gc.freeze()  # what is loaded stays: looking through it after each job would take longer than most jobs


if __name__ == "__main__":
    serve(_work, _load)
