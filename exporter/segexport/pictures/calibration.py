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
from segexport.pictures.doctor import Diagnosis, PictureFacts, diagnose, look_like_masks, picture_facts
from segexport.pictures.files import Picture, PictureFile, draw_pictures, list_pictures, read_picture
from segruntime.model_file.contract import InputSpec
from segruntime.preprocess import BYTE_BILINEAR, Preprocessor

MOST = 48  # read at most so many, evenly spread over the folder; half of them calibrate
DRAWN = 8
DRAWN_SOURCE = "drawn by segexport"
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
    diagnosis: Diagnosis | None = None
    """What the calibration doctor found; None for drawn pictures."""

    @property
    def warnings(self) -> tuple[str, ...]:
        return () if self.diagnosis is None else self.diagnosis.warnings


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
        return PictureSet(calibrate=(), measure=drawn, measure_names=names, source=DRAWN_SOURCE, sha256=None)
    files, diagnosis = _usable(folder, most, size)
    calibrate, measure = files[0::2], files[1::2]
    source = "pictures of the calibration folder that did not calibrate"
    names = tuple(str(f.path.relative_to(folder)) for f in measure)
    pictures = tuple(f.pixels for f in measure)
    if not pictures:
        source, pictures = DRAWN_SOURCE, tuple(draw_pictures(DRAWN))
        names = tuple(f"drawn {k + 1}" for k in range(DRAWN))
    return PictureSet(
        calibrate=tuple(f.pixels for f in calibrate),
        measure=pictures,
        measure_names=names,
        source=source,
        sha256=hashlib.sha256("".join(f.sha256 for f in calibrate).encode()).hexdigest(),
        diagnosis=diagnosis,
    )


def calibration_tensor(pictures: Sequence[Picture], height: int, width: int) -> npt.NDArray[np.float32]:
    """`(N, height, width, 3) float32, RGB, 0–1`, through the runtime's own preprocessing; N may be 0."""
    spec = InputSpec(width=width, height=height, layout="NHWC", dtype="float32", color="rgb", value_range=(0.0, 1.0))
    preprocess = Preprocessor(spec)
    none = np.zeros((0, height, width, 3), np.float32)
    return np.concatenate([none, *(preprocess(picture).copy() for picture in pictures)])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Examined:
    """A readable picture, scaled down, and what is remembered of it at its own size."""

    file: PictureFile
    facts: PictureFacts


def _usable(folder: Path, most: int, size: tuple[int, int] | None) -> tuple[list[PictureFile], Diagnosis]:
    paths = list_pictures(folder)
    there = len(paths)
    paths = _spread(paths, most)
    left_out = []
    read = [(path, _examined(path, size)) for path in paths]
    broken = [f"{path.name} ({why})" for path, why in read if isinstance(why, str)]
    examined = [found for _, found in read if isinstance(found, _Examined)]
    if not examined:
        raise CalibrationError(
            f"{folder}: none of its {len(paths)} pictures can be read: {_list(broken)}; give a folder of whole pictures"
        )
    if broken:
        left_out.append(f"{len(broken)} of {len(paths)} pictures cannot be read and are left out: {_list(broken)}")
    examined, repeated = _without_duplicates(examined)
    if repeated:
        left_out.append(f"{len(repeated)} duplicates left out: {_list(repeated)}")
    flat = [e.file.path.name for e in examined if _is_flat(e.file)]
    if len(flat) == len(examined):
        raise CalibrationError(
            f"{folder}: every picture is of one colour ({_list(flat)}), nothing to calibrate with; give photographs of people"
        )
    if flat:
        left_out.append(f"{len(flat)} pictures of one colour left out: {_list(flat)}")
        examined = [e for e in examined if not _is_flat(e.file)]
    facts = [e.facts for e in examined]
    if look_like_masks(facts):
        raise CalibrationError(
            f"{folder}: most of its {len(facts)} pictures are black and white areas, such as {facts[0].name}; "
            "these look like masks: give the folder of the photographs"
        )
    return [e.file for e in examined], diagnose(str(folder), there, len(paths), facts, left_out, size)


def _spread(paths: list[Path], most: int) -> list[Path]:
    """At most `most` of them, evenly spread."""
    if len(paths) <= most:
        return paths
    return [paths[round(k * (len(paths) - 1) / (most - 1))] for k in range(most)] if most > 1 else paths[:1]


def _examined(path: Path, size: tuple[int, int] | None) -> _Examined | str:
    found = read_picture(path)
    if isinstance(found, str):
        return found
    return _Examined(file=_resized(found, size), facts=picture_facts(path.name, found.pixels))


def _resized(file: PictureFile, size: tuple[int, int] | None) -> PictureFile:
    if size is None:
        return file
    small = cv2.resize(file.pixels, (size[1], size[0]), interpolation=BYTE_BILINEAR)
    return replace(file, pixels=np.asarray(small, np.uint8))


def _is_flat(file: PictureFile) -> bool:
    return float(file.pixels.std()) < _FLAT


def _without_duplicates(examined: list[_Examined]) -> tuple[list[_Examined], list[str]]:
    first: dict[str, _Examined] = {}
    repeated = []
    for one in examined:
        if one.file.sha256 in first:
            repeated.append(f"{one.file.path.name} = {first[one.file.sha256].file.path.name}")
        else:
            first[one.file.sha256] = one
    return list(first.values()), repeated


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
