"""Pictures and masks of folders, and what a teacher says of pictures that have none."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from augment import Image
from scenes import Person, Scenes, box_of

import segruntime
from segruntime.measures.agreement import mask_iou

TEACHER_SIZE = 256
SURE = 0.6
"""A person that fills less of the picture's height is looked at a second time, nearer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    scenes: Scenes
    left_out: dict[str, list[tuple[Image, Image]]]
    """By kind: picture and mask, never trained on."""
    left_out_backgrounds: list[Image]


def read_image(path: Path) -> Image:
    """`(H, W, 3) uint8 RGB`"""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SystemExit(f"{path}: the picture cannot be read")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def read_pairs(folder: Path) -> Iterator[tuple[str, Image, Image]]:
    """Every picture with its mask: `folder/name`, `(H, W, 3) uint8 RGB`, `(H, W) uint8` 0 or 255."""
    for path in sorted((folder / "images").iterdir()):
        image = read_image(path)
        mask = cv2.imread(str(folder / "masks" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
        if mask is None or mask.shape != image.shape[:2]:
            raise SystemExit(
                f"{folder / 'masks' / path.stem}.png: expected a mask of the picture's size, {image.shape[:2]}"
            )
        yield f"{folder.name}/{path.name}", image, np.asarray(mask, np.uint8)


def read_folder(folders: Sequence[Path], leave_out: Sequence[str]) -> tuple[dict[str, Image], dict[str, Image]]:
    """`folder/name` → picture: those to train on, and those left out."""
    kept: dict[str, Image] = {}
    left: dict[str, Image] = {}
    for folder in folders:
        for path in sorted(folder.iterdir()):
            name = f"{folder.name}/{path.name}"
            (left if name.startswith(tuple(leave_out)) else kept)[name] = read_image(path)
    return kept, left


class Teacher:
    """Soft masks: the mean over a picture and its mirror image; a small person is looked at again, nearer."""

    def __init__(self, path: Path) -> None:
        self.segmenter = segruntime.load(path, threads=2)

    def alpha(self, image: Image) -> Image:
        """`(H, W) uint8`, 0..255."""
        first = self._both(image)
        height, width = first.shape
        left, top, right, bottom = box_of(np.asarray(first * 255, np.uint8))
        if max((bottom - top) / height, (right - left) / width) < SURE:
            margin = int(0.2 * max(bottom - top, right - left))
            window = np.s_[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]
            first[window] = self._both(np.ascontiguousarray(image[window]))
        return np.asarray(first * 255 + 0.5, np.uint8)

    def _both(self, image: Image) -> np.ndarray:
        bgr = np.ascontiguousarray(image[..., ::-1])
        mirrored = self.segmenter.alpha(np.ascontiguousarray(bgr[:, ::-1]))[:, ::-1]
        return (self.segmenter.alpha(bgr) + mirrored) / 2


def outlined_person(image: Image, mask: Image, teacher: Teacher | None) -> Person:
    """Where a teacher sees somebody whom nobody outlined, the mask is not to be trusted."""
    unsure = None
    if teacher is not None:
        near = cv2.dilate(mask, np.ones((15, 15), np.uint8)) > 127
        unsure = np.where(near, 0, np.where(teacher.alpha(image) > 77, 255, 0)).astype(np.uint8)
        unsure = unsure if unsure.any() else None
    return Person(image=image, mask=mask, unsure=unsure, box=box_of(mask), trusted=True)


def taught_person(image: Image, alpha: Image) -> Person:
    return Person(image=image, mask=alpha, unsure=None, box=box_of(alpha), trusted=False)


def by_kind(pictures: dict[str, Image]) -> list[list[Image]]:
    """Names that are alike up to the first `_` are one kind."""
    kinds: dict[str, list[Image]] = defaultdict(list)
    for name, image in pictures.items():
        kinds[name.partition("_")[0]].append(image)
    return list(kinds.values())


def read_sources(args: argparse.Namespace) -> Sources:
    """Everything in memory: about 0.7 MB a picture of 512 pixels."""
    teacher = None if args.teacher is None else Teacher(args.teacher)
    left_out: dict[str, list[tuple[Image, Image]]] = defaultdict(list)
    outlined = []
    names = []
    for folder in (*args.outlined, *args.measured):
        for name, image, mask in read_pairs(folder):
            names.append(name)
            if folder in args.measured or name.startswith(tuple(args.leave_out)):
                left_out[folder.name].append((image, mask))
            else:
                outlined.append(outlined_person(image, mask, teacher))
    people, left = read_folder(args.people, args.leave_out)
    backgrounds, no_people = read_folder(args.backgrounds, args.leave_out)
    check_beginnings((*args.leave_out, *args.faces), [*names, *people, *left, *backgrounds, *no_people])
    if people and teacher is None:
        raise SystemExit("--people have no masks: give --teacher, a model file that makes them")
    taught = {name: taught_person(image, teacher.alpha(image)) for name, image in people.items()} if teacher else {}
    is_face = {name: name.startswith(tuple(args.faces)) for name in taught}
    for name, image in left.items():
        kind = next(prefix for prefix in args.leave_out if name.startswith(prefix))
        left_out[kind].append((image, teacher.alpha(image) if teacher else image[..., 0]))
    if not outlined and not taught:
        raise SystemExit("nobody to learn from: give --outlined, or --people and --teacher")
    return Sources(
        scenes=Scenes(
            people=[one for name, one in taught.items() if not is_face[name]] or outlined or list(taught.values()),
            faces=[one for name, one in taught.items() if is_face[name]] or outlined or list(taught.values()),
            outlined=outlined or list(taught.values()),
            backgrounds=by_kind(backgrounds),
        ),
        left_out=dict(left_out),
        left_out_backgrounds=list(no_people.values()),
    )


def check_beginnings(beginnings: Iterable[str], names: Sequence[str]) -> None:
    """One that no picture has is a slip: what should have been left out would be trained on."""
    for beginning in beginnings:
        if not any(name.startswith(beginning) for name in names):
            near = f", for example {names[0]}" if names else ""
            raise SystemExit(f"{beginning}: no picture's folder and name begin so{near}")


def iou(found: Image, truth: Image) -> float:
    """Of what is above one half, at the truth's size."""
    full = cv2.resize(found, (truth.shape[1], truth.shape[0]), interpolation=cv2.INTER_LINEAR) > 127
    return mask_iou(full, truth > 127)
