"""Pictures and the masks that belong to them: two folders, the same names, whatever the endings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segbench.errors import TruthError
from segruntime.picture_files import SUFFIXES, picture_paths, read_picture
from segruntime.preprocess import Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A picture's file, its mask's file, and the name that both have below their folders, without an ending."""

    name: str
    picture: Path
    mask: Path


def find_pairs(images: Path, masks: Path) -> list[Pair]:
    """Each picture of `images` with its mask, subfolders included, in the order of their names; other masks are left out.

    Raises:
        TruthError: a folder that is none or holds no picture, a picture without a mask, or two files of one name.
    """
    pictures, truths = _by_name("--images", images), _by_name("--masks", masks)
    missing = [name for name in pictures if name not in truths]
    if missing:
        raise TruthError(
            f"--masks {masks}: no mask for {len(missing)} of {len(pictures)} pictures, first {missing[0]}; expected a "
            f"picture of the same name, like {missing[0]}.png"
        )
    return [Pair(name=name, picture=path, mask=truths[name]) for name, path in pictures.items()]


def read_pair(pair: Pair) -> tuple[Frame, npt.NDArray[np.uint8]]:
    """The picture `(H, W, 3) uint8, BGR` and its mask `(H, W) uint8`, 0 (background) to 255 (person).

    Raises:
        segruntime's PictureError: one of them cannot be read.
        TruthError: the mask has another size.
    """
    picture, mask = read_picture(pair.picture), read_picture(pair.mask).max(axis=2)
    if mask.shape != picture.shape[:2]:
        raise TruthError(
            f"{pair.mask}: is {mask.shape[1]}x{mask.shape[0]}, expected {picture.shape[1]}x{picture.shape[0]} as "
            f"{pair.picture.name}; a mask must lie on its picture pixel for pixel"
        )
    return picture, mask


def _by_name(option: str, folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing there"
        raise TruthError(f"{option} {folder}: found {found}, expected a folder of pictures; give the folder itself")
    found_by_name: dict[str, Path] = {}
    for path in picture_paths(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found_by_name:
            raise TruthError(
                f"{option} {folder}: {found_by_name[name].name} and {path.name} have the same name, expected one file for "
                f"{name}; move one of them away"
            )
        found_by_name[name] = path
    if not found_by_name:
        raise TruthError(f"{option} {folder}: no picture in it, expected {', '.join(sorted(SUFFIXES))}; check the path")
    return found_by_name
