"""How far a file's golden masks move with other kernels, threads and resizes, and how far with a real fault.

python benchmarks/claims/self_test_variation.py FILE… [--json]

FILE carries golden pictures (`segexport verify FILE`). The bounds in `segruntime/model_file/self_test.py` stand between the two
kinds of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

import segruntime
from claim import Result, claim
from segruntime import Segmenter, SelfTest
from segruntime.arrays import Alpha
from segruntime.backends import tflite
from segruntime.model_file.self_test import run_self_test
from segruntime.preprocess import Frame

KERNELS = {"no XNNPACK": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "reference kernels": "BUILTIN_REF"}
FAULTS: dict[str, dict[str, Any]] = {
    "fault: red and blue swapped": {"color": "bgr"},
    "fault: nearest": {"interpolation": "nearest"},
    "fault: area": {"interpolation": "area"},
    "fault: letterbox": {"resize": "letterbox"},
}


def print_result(result: Result) -> None:
    for row in result["rows"]:
        verdict = "same" if row["same"] else "not the same"
        numbers = f"mean {row['mean_difference']:.6f}  IoU {row['mask_iou']:.4f}  max {row['max_difference']:.3f}"
        print(f"{row['file']:32} {row['what']:28} {numbers}  {verdict}")


@claim(print_result)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def main(files: tuple[Path, ...]) -> Result:
    """Print, for each FILE and each way to run it, the worst picture's mean difference and IoU to the mask as made."""
    return {"rows": [_row(path, what, result) for path in files for what, result in _variations(path)]}


def _row(path: Path, what: str, result: SelfTest) -> Result:
    return {
        "file": path.name,
        "what": what,
        "same": result.same,
        "mean_difference": max(one.mean_difference for one in result.pictures),
        "mask_iou": min(one.iou_made for one in result.pictures),
        "max_difference": max(one.max_difference for one in result.pictures),
    }


def _variations(path: Path) -> Iterator[tuple[str, SelfTest]]:
    segmenter = segruntime.load(path)
    contract, spec = segmenter.contract, segmenter.contract.input
    for threads in (1, 2):
        yield f"{threads} threads", segruntime.load(path, threads=threads).self_test()
    for what, other in _other_kernels(segmenter):
        yield what, other.self_test()
    yield "resize rounds otherwise", run_self_test(path, contract, _other_resize(segmenter))
    for what, change in FAULTS.items():
        wrong = replace(contract, input=replace(spec, **change))
        yield what, segruntime.load(path, contract=wrong).self_test()


def _other_kernels(segmenter: Segmenter) -> Iterator[tuple[str, Segmenter]]:
    path = segmenter.path
    if segmenter.backend == "tflite":
        module = tflite._interpreter_module()
        for what, name in KERNELS.items():
            resolver = getattr(module.OpResolverType, name)
            interpreter = module.Interpreter(str(path), num_threads=1, experimental_op_resolver_type=resolver)
            interpreter.allocate_tensors()
            yield what, Segmenter(tflite.TfliteBackend(interpreter, segmenter.library), segmenter.contract, path, 1)
        return
    from segruntime.backends.onnx import OnnxBackend, import_onnxruntime

    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    yield "no graph optimizations", Segmenter(OnnxBackend(session), segmenter.contract, path, 1)


def _other_resize(segmenter: Segmenter) -> Callable[[Frame], Alpha]:
    """OpenCV's other bilinear resize; it rounds about 11 % of the bytes to the neighbour."""
    size = segmenter.contract.input.width, segmenter.contract.input.height

    def network_mask(frame: Frame) -> Alpha:
        resized = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
        return segmenter.network_mask(np.asarray(resized, np.uint8))

    return network_mask


if __name__ == "__main__":
    main()
