"""A .tflite that a converter has just made: numbers that no arithmetic can hold are found before anything runs it.

A weight of 1e30 may still give a mask in float32; the ranges of what it touches overflow, and an int8 file of it has infinite
scales that XNNPACK refuses to load. What a PADV2 pads with is left out: the lowest number there is, before a max-pool.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segexport.errors import ConversionError
from segexport.tflite.graph import operator_kinds, read_operators
from segexport.tflite.ranges import Ranges

LARGEST = float(np.float32(1e30))
_NUMPY = {"FLOAT16": np.float16, "FLOAT32": np.float32, "FLOAT64": np.float64}


def check_structure(path: Path, step: str) -> None:
    """No operator is one of the converter's own; every constant and range that one touches is finite and within ±1e30.

    Raises:
        ConversionError: names the own ones, or the first operator, in the order in which they run, that touches another one.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    kinds = operator_kinds(model)
    _refuse_custom(model, step)
    for graph in (model.Subgraphs(k) for k in range(model.SubgraphsLength())):
        sound: set[int] = set()
        for index in range(graph.OperatorsLength()):
            operator = graph.Operators(index)
            for number in _touched(operator, kinds[operator.OpcodeIndex()]):
                fault = None if number in sound else _fault(schema, model, graph.Tensors(number))
                if fault is not None:
                    kind, name = kinds[operator.OpcodeIndex()], graph.Tensors(operator.Outputs(0)).Name().decode()
                    raise ConversionError(_told(step, index, kind, name, fault))
                sound.add(number)


def _refuse_custom(model: Any, step: str) -> None:
    """What a converter cannot write it may write as a custom operator, which no runtime has."""
    codes = [model.OperatorCodes(index).CustomCode() for index in range(model.OperatorCodesLength())]
    names = ", ".join(code.decode(errors="replace") for code in codes if code)
    if names:
        raise ConversionError(f"{step}: it left {names} as custom operators, expected operators of TFLite alone")


def check_ranges(ranges: Ranges, float32: Path, step: str) -> None:
    """What calibration found is finite and within ±1e30, on every picture.

    Raises:
        ConversionError: names the first operator of `float32`, in the order in which they run, that gives anything else.
    """
    found = dict(zip(ranges.names, np.stack([ranges.low, ranges.high]).transpose(2, 0, 1), strict=True))
    for operator in read_operators(float32):
        for values in (found[name] for name in operator.outputs if name in found):
            if (worst := _worst(values)) is not None:
                raise ConversionError(_told(step, operator.index, operator.kind, operator.name, f"gives {worst:.3g}"))


def _told(step: str, index: int, kind: str, name: str, fault: str) -> str:
    return (
        f"{step}: operator {index}, {kind} {name!r}, {fault}, expected finite numbers within ±{LARGEST:.0e}; "
        "look for such weights in the checkpoint, else report this network"
    )


def _touched(operator: Any, kind: str) -> Iterator[int]:
    """All of its tensors but what PADV2 pads with: before a max-pool that is the lowest number there is."""
    numbers = [operator.Inputs(k) for k in range(2 if kind == "PADV2" else operator.InputsLength())]
    numbers += [operator.Outputs(k) for k in range(operator.OutputsLength())]
    return (number for number in numbers if number >= 0)


def _fault(schema: Any, model: Any, tensor: Any) -> str | None:
    worst = _worst(_constant(schema, model, tensor))
    if worst is not None:
        return f"has a constant of {worst:.3g}"
    quantization = tensor.Quantization()
    for what in () if quantization is None else ("Scale", "Min", "Max"):
        values = getattr(quantization, f"{what}AsNumpy")()
        worst = _worst(values) if isinstance(values, np.ndarray) else None
        if worst is not None:
            return f"has a quantization {what.lower()} of {worst:.3g}"
    return None


def _constant(schema: Any, model: Any, tensor: Any) -> npt.NDArray[np.floating[Any]]:
    kind = next((k for name, k in _NUMPY.items() if getattr(schema.TensorType, name) == tensor.Type()), None)
    buffer = model.Buffers(tensor.Buffer())
    if kind is None or not buffer.DataLength():
        return np.empty(0, np.float32)
    return np.asarray(buffer.DataAsNumpy().view(kind))  # where it lies: the weights are not copied


def _worst(values: npt.NDArray[np.floating[Any]]) -> float | None:
    """The first of `values` that is not finite, else the largest if it is beyond the bound, else None."""
    if not values.size:
        return None
    if not np.isfinite(values).all():
        return float(values[~np.isfinite(values)][0])
    largest = float(max(values.max(), -values.min()))
    if largest <= LARGEST:
        return None
    return largest if largest == float(values.max()) else -largest
