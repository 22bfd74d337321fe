"""`segexport check-port`: a port's arrays against the vectors they were made from, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from segexport.errors import OutputError
from segexport.vectors.mistakes import name_mistake
from segexport.vectors.steps import ABOUT
from segexport.vectors.write import INDEX, read_index
from segruntime import Contract
from segruntime.measures.agreement import mask_iou
from segruntime.model_file.self_test import ALMOST_NONE
from segruntime.strict_json import Fields

Array = npt.NDArray[Any]
_DTYPES = ("float32", "int8", "uint8", "int16", "int32", "int64")
_MASKS = ("probability", "alpha", "coarse")
_MOST_BYTES, _MOST_SIDE, _MOST_PARTS = 1 << 32, 1 << 16, 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCheck:
    """One array of the port against the stored one. Differences are absolute; `problem` is empty where it is near enough."""

    model: str
    frame: str
    step: str
    file: str
    given: bool
    largest: float = 0.0
    mean: float = 0.0
    iou: float | None = None
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def check_port(vectors: Path, port: Path) -> list[StepCheck]:
    """Every step that the vectors know, in the order of the chain; a port need not have written all of them.

    Args:
        vectors: a folder that `segexport vectors` made.
        port: a folder in which the port wrote the same `.bin` files, under the same names.

    Raises:
        OutputError: no vectors, they are damaged, or the port wrote none of their files.
    """
    if not port.is_dir():
        raise OutputError(f"{port}: no such folder, expected the .bin files that the port wrote; give that folder")
    try:
        rows = list(_checks(vectors, port, Fields(read_index(vectors))))
    except ValueError as error:
        raise OutputError(f"{vectors / INDEX}: damaged ({error}); make the vectors again") from error
    if not any(row.given for row in rows):
        raise OutputError(
            f"{port}: holds none of the {len(rows)} files; expected for example {rows[0].file if rows else INDEX}"
        )
    return rows


def _checks(vectors: Path, port: Path, index: Fields) -> Iterator[StepCheck]:
    for model in index.parts("models", 0, _MOST_PARTS):
        contract, tolerances = Contract.from_json(model.raw("contract")), model.part("tolerances")
        for frame in (*model.parts("frames", 0, _MOST_PARTS), *model.parts("stream", 0, _MOST_PARTS)):
            arrays = frame.part("arrays")
            rgb = _stored(vectors, arrays.part("frame"))
            if rgb.ndim != 3:
                arrays.fail("frame", "an array (H, W, 3)")
            for step in (step for step in ABOUT if step != "frame" and step in arrays):
                entry = arrays.part(step)
                row = StepCheck(
                    model=model.string("file"),
                    frame=frame.string("name"),
                    step=step,
                    file=entry.string("file"),
                    given=False,
                )
                yield _check(row, port, _stored(vectors, entry), _tolerance(tolerances.part(step)), contract, rgb)


def _tolerance(f: Fields) -> dict[str, float]:
    return {key: f.number(key) for key in ("largest", "share", "mean", "mask_iou") if key in f}


def _check(
    row: StepCheck, port: Path, wanted: Array, tolerance: dict[str, float], contract: Contract, rgb: Array
) -> StepCheck:
    path = port / _inside(row.file)
    if not path.is_file():
        return row
    if path.stat().st_size != wanted.nbytes:
        problem = f"{path.stat().st_size} bytes, expected {wanted.nbytes}: {wanted.shape} {wanted.dtype}"
        return replace(row, given=True, problem=problem)
    found = np.fromfile(path, wanted.dtype).reshape(wanted.shape)
    if not np.isfinite(found).all():
        return replace(row, given=True, problem="holds NaN or infinity, expected finite numbers")
    difference = np.abs(found.astype(np.float64) - wanted.astype(np.float64))
    iou = mask_iou(found > contract.threshold, wanted > contract.threshold) if row.step in _MASKS else None
    problem = _problem(difference, iou, _changed(found, wanted, contract.threshold), tolerance)
    if problem and row.step == "input":
        name = name_mistake(found, np.ascontiguousarray(rgb[:, :, ::-1]), contract.input)
        problem += f"; it looks like this: {name}" if name else ""
    largest, mean = float(difference.max()), float(difference.mean())
    return replace(row, given=True, largest=largest, mean=mean, iou=iou, problem=problem)


def _problem(difference: Array, iou: float | None, changed: float, tolerance: dict[str, float]) -> str:
    largest, mean = float(difference.max()), float(difference.mean())
    if "largest" in tolerance:
        over = float((difference > tolerance["largest"]).mean())
        if over > 1 - tolerance.get("share", 1.0):
            return f"differs by up to {largest:.3g}, expected at most {tolerance['largest']:g} ({over:.2%} is over it)"
    if "mean" in tolerance and mean > tolerance["mean"]:
        return f"differs by {mean:.3g} in the mean, expected at most {tolerance['mean']:g}"
    if "mask_iou" in tolerance and iou is not None and iou < tolerance["mask_iou"] and changed > ALMOST_NONE:
        return f"mask IoU {iou:.4f}, expected at least {tolerance['mask_iou']:g}"
    return ""


def _changed(found: Array, wanted: Array, threshold: float) -> float:
    return float(((found > threshold) != (wanted > threshold)).mean())


def _stored(vectors: Path, entry: Fields) -> Array:
    path, dtype = vectors / _inside(entry.string("file")), entry.choice("dtype", _DTYPES)
    shape = entry.raw("shape")
    if not isinstance(shape, list) or not all(type(n) is int and 0 < n <= _MOST_SIDE for n in shape):
        entry.fail("shape", f"a list of whole numbers from 1 to {_MOST_SIDE}")
    expected = np.dtype(dtype).itemsize
    for n in shape:
        expected *= n
    size = path.stat().st_size if path.is_file() else -1
    if size != expected or size > _MOST_BYTES:
        found = "nothing there" if size < 0 else f"{size} bytes"
        raise OutputError(f"{path}: {found}, expected {expected} bytes; make the vectors again")
    array: Array = np.fromfile(path, np.dtype(dtype).newbyteorder("<")).reshape(shape)
    return array


def _inside(file: str) -> PurePosixPath:
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or "\\" in file or "\0" in file:
        raise ValueError(f"{file!r} is no path inside the folder")
    return path
