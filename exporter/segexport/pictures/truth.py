"""Hand-made masks for the pictures that measure: `--masks DIR`, one mask a picture, of the same name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from segexport.errors import CalibrationError
from segexport.pictures.files import read_picture
from segruntime.measures.agreement import Mask
from segruntime.picture_files import SUFFIXES

PERSON_FROM = 128  # of 255


def read_masks(folder: Path, names: Sequence[str], size: tuple[int, int]) -> list[Mask]:
    """The mask of each picture `(h, w) bool`, `size` = (h, w); `names` are the pictures' paths in their own folder.

    A mask is a picture of the same name, whatever its suffix: from 128 on (of 255) it is the person.

    Raises:
        CalibrationError: no such folder, a picture without its mask, or a mask that cannot be read.
    """
    if not folder.is_dir():
        raise CalibrationError(
            f"--masks {folder}: found {'a file' if folder.exists() else 'nothing there'}, "
            "expected a folder with one mask for each calibration picture, of the same name"
        )
    there = {p.relative_to(folder).with_suffix(""): p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES}
    missing = [name for name in names if Path(name).with_suffix("") not in there]
    if missing:
        raise CalibrationError(
            f"--masks {folder}: no mask for {len(missing)} of {len(names)} pictures that measure, first {missing[0]}; "
            f"expected {Path(missing[0]).with_suffix('.png')} or another picture of that name"
        )
    return [_read(there[Path(name).with_suffix("")], size) for name in names]


def _read(path: Path, size: tuple[int, int]) -> Mask:
    found = read_picture(path)
    if isinstance(found, str):
        raise CalibrationError(f"--masks: {path}: cannot be read ({found}); give whole mask pictures")
    gray = found.pixels.max(axis=2)
    scaled = cv2.resize(gray, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(scaled >= PERSON_FROM, np.bool_)
