"""The calibration folder: what of it can be used, what is wrong with it, and which half calibrates, which half measures."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from segexport.errors import CalibrationError
from segexport.pictures import Picture, PictureFile, draw_pictures, list_pictures, read_picture
from segruntime.contract import InputSpec
from segruntime.preprocess import Preprocessor

ENOUGH = 32
MOST = 100  # read at most so many, evenly spread over the folder; half of them calibrate
DRAWN = 8
_FLAT = 2.0  # standard deviation of a picture's values, 0–255, below which it shows nothing
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSet:
    """Pictures `(H, W, 3) uint8, BGR` to calibrate with and to measure on; never the same ones."""

    calibrate: tuple[Picture, ...]
    measure: tuple[Picture, ...]
    measure_names: tuple[str, ...]
    source: str
    sha256: str | None
    warnings: tuple[str, ...]


def collect_pictures(folder: Path | None, *, most: int = MOST, size: tuple[int, int] | None = None) -> PictureSet:
    """Read and examine the folder; without one, draw pictures to measure on.

    Every second picture calibrates, the others measure. A folder of one picture calibrates with it, and drawn ones measure.
    With `size` (height, width) pictures are kept at that size, as the runtime would resize them: a hundred photographs
    of 12 million pixels would take 3.6 GB.

    Raises:
        CalibrationError: no folder, no picture, none that can be read, or all of one colour.
    """
    if folder is None:
        drawn = tuple(draw_pictures(DRAWN))
        names = tuple(f"drawn {k + 1}" for k in range(DRAWN))
        return PictureSet(
            calibrate=(), measure=drawn, measure_names=names, source="drawn by segexport", sha256=None, warnings=()
        )
    files, warnings = _usable(folder, most, size)
    calibrate, measure = files[0::2], files[1::2]
    source = "pictures of the calibration folder that did not calibrate"
    names = tuple(str(f.path.relative_to(folder)) for f in measure)
    pictures = tuple(f.pixels for f in measure)
    if not pictures:
        source, pictures = "drawn by segexport", tuple(draw_pictures(DRAWN))
        names = tuple(f"drawn {k + 1}" for k in range(DRAWN))
    return PictureSet(
        calibrate=tuple(f.pixels for f in calibrate),
        measure=pictures,
        measure_names=names,
        source=source,
        sha256=hashlib.sha256("".join(f.sha256 for f in calibrate).encode()).hexdigest(),
        warnings=tuple(warnings),
    )


def calibration_tensor(pictures: Sequence[Picture], height: int, width: int) -> npt.NDArray[np.float32]:
    """`(N, height, width, 3) float32, RGB, 0–1`, through the runtime's own preprocessing."""
    spec = InputSpec(width=width, height=height, layout="NHWC", dtype="float32", color="rgb", value_range=(0.0, 1.0))
    preprocess = Preprocessor(spec)
    return np.concatenate([preprocess(picture).copy() for picture in pictures])


def _usable(folder: Path, most: int, size: tuple[int, int] | None) -> tuple[list[PictureFile], list[str]]:
    paths = list_pictures(folder)
    warnings = []
    if len(paths) > most:
        warnings.append(
            f"{folder}: {len(paths)} pictures, taking {most} spread evenly over them (--pictures N for more)"
        )
        paths = [paths[round(k * (len(paths) - 1) / (most - 1))] for k in range(most)] if most > 1 else paths[:1]
    read = [(path, _resized(read_picture(path), size)) for path in paths]
    broken = [f"{path.name} ({why})" for path, why in read if isinstance(why, str)]
    files = [file for _, file in read if isinstance(file, PictureFile)]
    if not files:
        raise CalibrationError(
            f"{folder}: none of its {len(paths)} pictures can be read: {_list(broken)}; give a folder of whole pictures"
        )
    if broken:
        warnings.append(
            f"{folder}: {len(broken)} of {len(paths)} pictures cannot be read and are left out: {_list(broken)}"
        )
    files, repeated = _without_duplicates(files)
    if repeated:
        warnings.append(f"{folder}: {len(repeated)} duplicates left out: {_list(repeated)}")
    flat = [f.path.name for f in files if _is_flat(f)]
    if len(flat) == len(files):
        raise CalibrationError(
            f"{folder}: every picture is of one colour ({_list(flat)}), nothing to calibrate with; give photographs of people"
        )
    if flat:
        warnings.append(f"{folder}: {len(flat)} pictures of one colour: {_list(flat)}")
        files = [f for f in files if not _is_flat(f)]
    if len(files) < ENOUGH:
        warnings.append(
            f"{folder}: {len(files)} usable pictures, {ENOUGH} or more are better (half calibrates, half measures); "
            "int8 ranges may be too narrow"
        )
    return files, warnings


def _resized(file: PictureFile | str, size: tuple[int, int] | None) -> PictureFile | str:
    if size is None or isinstance(file, str):
        return file
    small = cv2.resize(file.pixels, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return replace(file, pixels=np.asarray(small, np.uint8))


def _is_flat(file: PictureFile) -> bool:
    return float(file.pixels.std()) < _FLAT


def _without_duplicates(files: list[PictureFile]) -> tuple[list[PictureFile], list[str]]:
    first: dict[str, PictureFile] = {}
    repeated = []
    for file in files:
        if file.sha256 in first:
            repeated.append(f"{file.path.name} = {first[file.sha256].path.name}")
        else:
            first[file.sha256] = file
    return list(first.values()), repeated


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
