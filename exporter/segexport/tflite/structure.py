"""A .tflite that a converter has just made: numbers that no arithmetic can hold are found before anything runs it.

A weight of 1e30 may still give a mask in float32; the ranges of what it touches overflow, and an int8 file of it has infinite
scales that XNNPACK refuses to load. What a PADV2 pads with is left out: the lowest number there is, before a max-pool.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segexport.errors import ConversionError
from segexport.tflite.flatbuffer import Graph, read_graph
from segexport.tflite.graph import read_operators
from segexport.tflite.ranges import Ranges

LARGEST = float(np.float32(1e30))


def check_structure(path: Path, step: str) -> None:
    """No operator is one of the converter's own; every constant and range that one touches is finite and within ±1e30.

    Raises:
        ConversionError: names the own ones, or the first operator, in the order in which they run, that touches another one.
    """
    main = read_graph(path)
    _refuse_custom(main, step)
    for graph in (Graph(main.model, number) for number in range(len(main.model.subgraphs))):
        sound: set[int] = set()
        for index, operator in enumerate(graph.operators):
            kind = graph.kind(operator)
            for number in _touched(graph, operator, kind):
                fault = None if number in sound else _fault(graph, number)
                if fault is not None:
                    raise ConversionError(_told(step, index, kind, graph.name(operator.outputs[0]), fault))
                sound.add(number)


def _refuse_custom(graph: Graph, step: str) -> None:
    """What a converter cannot write it may write as a custom operator, which no runtime has."""
    codes = [code.customCode for code in graph.model.operatorCodes if code.customCode]
    names = ", ".join(code.decode(errors="replace") for code in codes)
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


def _touched(graph: Graph, operator: Any, kind: str) -> list[int]:
    """All of its tensors but what PADV2 pads with: before a max-pool that is the lowest number there is."""
    return [*graph.inputs(operator)[: 2 if kind == "PADV2" else None], *operator.outputs]


def _fault(graph: Graph, index: int) -> str | None:
    constant, quantization = graph.constant(index), graph.tensor(index).quantization
    if constant is not None and constant.dtype.kind == "f" and (worst := _worst(constant)) is not None:
        return f"has a constant of {worst:.3g}"
    for what in ("scale", "min", "max"):
        values = getattr(quantization, what, None)
        if values is not None and (worst := _worst(np.asarray(values))) is not None:
            return f"has a quantization {what} of {worst:.3g}"
    return None


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
