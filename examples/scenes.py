"""Training pictures composed anew for every step: crops as they were taken, people on other backgrounds, nobody.

A frame of any aspect from 9:16 to 16:9 is stretched to a square, as the runtime does. Pictures are `(H, W, 3) uint8 RGB`, masks
`(H, W) uint8`, 0..255.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from augment import Image, Numbers, as_photographed, drawn_background, motion_kernel

Point = Sequence[float] | Numbers
EMPTY, AS_TAKEN = 0.25, 0.47
"""Shares of a batch; the rest is composed."""
IN_PLACE = 0.4
"""Of those who are put before another background, the share that stays where it was: most busts are cut off at a side."""
DISTRACTED = 0.35
"""The share of composed and of empty pictures with things in them that are nobody: what stands out is no person for that."""
ASPECTS = (16 / 9, 16 / 9, 4 / 3, 1.0, 1.0, 3 / 4, 9 / 16)
EDGE = 3
"""Pixels: a mask that comes as near to its picture's edge is cut off there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A picture with somebody in it."""

    image: Image
    mask: Image
    unsure: Image | None
    """Not 0 where the mask is not to be trusted: bystanders that nobody outlined."""
    box: tuple[int, int, int, int]
    """Left, top, right, bottom of the mask."""
    trusted: bool
    """The mask was made by hand."""

    @property
    def can_move(self) -> bool:
        """Whole but for the lower edge: what is cut off at a side cannot stand elsewhere."""
        left, top, right, _ = self.box
        return bool(left > EDGE and top > EDGE and right < self.mask.shape[1] - EDGE)

    @property
    def is_cut_below(self) -> bool:
        return bool(self.box[3] >= self.mask.shape[0] - EDGE)


def box_of(mask: Image) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is above one half; all of it where nothing is."""
    rows, columns = (np.flatnonzero((mask > 127).any(axis)) for axis in (1, 0))
    if not rows.size:
        return 0, 0, mask.shape[1], mask.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenes:
    """Where training pictures come from."""

    people: Sequence[Person]
    faces: Sequence[Person]
    """Of one kind, before backgrounds that are all alike: at most half of the people."""
    outlined: Sequence[Person]
    backgrounds: Sequence[Sequence[Image]]
    """By kind; a kind is drawn by the square root of its pictures' number."""

    def sample(self, size: int, rng: np.random.Generator) -> tuple[Image, Image, Image]:
        """Image `(size, size, 3)`, mask and weight `(size, size)`; a weight is 0 where the truth is not known, else 255."""
        kind = rng.random()
        weight = np.full((size, size), 255, np.uint8)
        if kind < EMPTY:
            image, mask = self.distracted(self.background(size, rng), rng), np.zeros((size, size), np.uint8)
        elif kind < EMPTY + AS_TAKEN:
            image, mask, weight = as_taken(self.somebody(rng), size, rng)
        else:
            image, mask = self.composed(size, rng)
        if rng.random() < 0.5:
            image, mask, weight = (np.ascontiguousarray(plane[:, ::-1]) for plane in (image, mask, weight))
        return as_photographed(image, rng), mask, weight

    def somebody(self, rng: np.random.Generator) -> Person:
        group = (self.people, self.faces, self.outlined)[int(rng.choice(3, p=(0.4, 0.25, 0.35)))]
        return group[int(rng.integers(len(group)))]

    def background(self, size: int, rng: np.random.Generator) -> Image:
        if rng.random() < 0.07 or not self.backgrounds:
            return drawn_background(size, rng)
        shares = np.sqrt([len(kind) for kind in self.backgrounds])
        kind = self.backgrounds[int(rng.choice(len(shares), p=shares / shares.sum()))]
        image = kind[int(rng.integers(len(kind)))]
        height, width = image.shape[:2]
        aspect = float(rng.choice(ASPECTS))
        high = min(height, width / aspect) * rng.uniform(0.45, 1.0)
        centre = rng.uniform((high * aspect / 2, high / 2), (width - high * aspect / 2, height - high / 2))
        matrix = placed(centre, high, aspect, np.deg2rad(rng.normal(0, 4)), size)
        shot = warp(image, matrix, size, cv2.BORDER_REFLECT_101)
        if rng.random() < 0.25:
            shot = np.asarray(cv2.GaussianBlur(shot, (0, 0), rng.uniform(1, 6)), np.uint8)
        return shot

    def composed(self, size: int, rng: np.random.Generator) -> tuple[Image, Image]:
        """One to four people before a background that was taken without them."""
        image, aspect = self.distracted(self.background(size, rng), rng), float(rng.choice(ASPECTS))
        mask = np.zeros((size, size), np.uint8)
        for _ in range(int(rng.choice((1, 2, 3, 4), p=(0.7, 0.18, 0.08, 0.04)))):
            person, matrix, border = self.cast(aspect, size, rng)
            cut, alpha = (
                warp(person.image, matrix, size, cv2.BORDER_REFLECT_101),
                warp(person.mask, matrix, size, border),
            )
            alpha = edged(alpha, person, rng)
            cut = relit(cut, alpha, image, rng)
            if rng.random() < 0.12:
                kernel = motion_kernel(rng, size // 14)
                cut, alpha = (np.asarray(cv2.filter2D(plane, -1, kernel), np.uint8) for plane in (cut, alpha))
            image = pasted(image, cut, alpha)
            mask = np.asarray(255 - (255.0 - mask) * (255.0 - alpha) / 255 + 0.5, np.uint8)
            if rng.random() < 0.06:
                thing = shape(size, rng)
                image, mask = (
                    pasted(image, self.background(size, rng), thing),
                    np.asarray(mask * (1 - thing / 255.0), np.uint8),
                )
        return image, mask

    def cast(self, aspect: float, size: int, rng: np.random.Generator) -> tuple[Person, Numbers, int]:
        """Somebody where they stood in their own picture, or, if all of them is there, anywhere; what is outside of it."""
        person = self.somebody(rng)
        if rng.random() < IN_PLACE:
            return person, window(person, size, rng), cv2.BORDER_REFLECT_101
        while not person.can_move:
            person = self.somebody(rng)
        return person, placement(person, aspect, size, rng), cv2.BORDER_CONSTANT

    def distracted(self, image: Image, rng: np.random.Generator) -> Image:
        """Now and then with balls, boards and blobs of other pictures' matter before it."""
        if rng.random() < DISTRACTED:
            for _ in range(int(rng.integers(1, 3))):
                size = image.shape[0]
                matter = drawn_background(size, rng) if rng.random() < 0.4 else self.background(size, rng)
                image = pasted(image, matter, shape(size, rng))
        return image


def shape(size: int, rng: np.random.Generator) -> Image:
    """An ellipse, a polygon or a smooth blob somewhere: `(size, size) uint8`, soft at its edge."""
    mask = np.zeros((size, size), np.uint8)
    centre, radius = rng.uniform(0.1, 0.9, 2) * size, np.exp(rng.uniform(np.log(0.05), np.log(0.45))) * size
    corners = int(rng.integers(3, 12))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    reach = radius * rng.uniform(0.5, 1.2, (corners, 1)) * np.exp(rng.uniform(-0.5, 0.5, 2))
    points = np.asarray(centre + reach * np.column_stack([np.cos(angles), np.sin(angles)]), np.int32)
    kind = rng.integers(3)
    if kind == 0:
        axes = [max(1, int(n)) for n in radius * np.exp(rng.uniform(-0.6, 0.6, 2))]
        cv2.ellipse(mask, [int(n) for n in centre], axes, rng.uniform(0, 180), 0, 360, [255.0], -1)
    else:
        cv2.fillPoly(mask, [points], [255.0])
    if kind == 2:
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), radius / 5) > 110, np.uint8) * np.uint8(255)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 1.5)), np.uint8)


def pasted(image: Image, other: Image, alpha: Image) -> Image:
    share = alpha[..., None].astype(np.float32) / 255
    return np.asarray(image + (other.astype(np.float32) - image) * share + 0.5, np.uint8)


def placed(centre: Point, high: float, aspect: float, angle: float, size: int) -> Numbers:
    """The 2x3 matrix from a picture's pixels to the square: a frame around `centre`, `high` pixels high, turned by `angle`."""
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.diag([size / (high * aspect), size / high]) @ np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([linear, np.full(2, size / 2) - linear @ np.asarray(centre)])


def warp(plane: Image, matrix: Numbers, size: int, border: int) -> Image:
    """Without ripples: a picture that shrinks much is halved first."""
    while max(abs(np.linalg.det(matrix[:, :2])), 1e-9) < 0.2 and min(plane.shape[:2]) > 16:
        height, width = plane.shape[:2]
        plane = np.asarray(cv2.resize(plane, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)
        grown = np.diag([width / (width // 2), height / (height // 2)])
        matrix = np.column_stack([matrix[:, :2] @ grown, matrix[:, 2]])
    return np.asarray(cv2.warpAffine(plane, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border), np.uint8)


def window(person: Person, size: int, rng: np.random.Generator) -> Numbers:
    """The matrix of the whole picture, or of a window in it, from the face to the whole body."""
    height, width = person.mask.shape
    if rng.random() < 0.3:
        aspect, high, centre = width / height, float(height), np.array([width / 2, height / 2])
    else:
        aspect = float(rng.choice(ASPECTS))
        most = min(height, width / aspect)
        high = most * np.exp(rng.uniform(np.log(0.4), np.log(1.05)))
        left, top, right, bottom = person.box
        centre = rng.uniform((left, top), (right, bottom))
        if rng.random() < 0.5:
            centre[1] = top + min(bottom - top, high) * rng.uniform(0.2, 0.6)
        slack = np.array([high * aspect, high]) / 2
        centre = np.clip(centre, slack * 0.9, np.maximum(np.array([width, height]) - slack * 0.9, slack * 0.9))
    angle = np.deg2rad(rng.normal(0, 6))
    if rng.random() < 0.06:
        angle += rng.choice((-1, 1)) * np.pi / 2
    return placed(centre, high, aspect, angle, size)


def as_taken(person: Person, size: int, rng: np.random.Generator) -> tuple[Image, Image, Image]:
    matrix = window(person, size, rng)
    border = cv2.BORDER_REFLECT_101 if rng.random() < 0.7 else cv2.BORDER_CONSTANT
    image, mask = (warp(plane, matrix, size, border) for plane in (person.image, person.mask))
    if person.unsure is None:
        return image, mask, np.full((size, size), 255, np.uint8)
    unsure = warp(person.unsure, matrix, size, border)
    return image, mask, np.where(unsure > 20, 0, 255).astype(np.uint8)


def placement(person: Person, aspect: float, size: int, rng: np.random.Generator) -> Numbers:
    """Where somebody stands in another frame: near, whole, or far; who is cut off below ends where the frame does."""
    left, top, right, bottom = person.box
    tall, wide = bottom - top, right - left
    angle = np.deg2rad(rng.normal(0, 7))
    if person.is_cut_below:
        shown = tall * rng.uniform(0.6, 1.0)
        high = shown / rng.uniform(0.3, 0.95)
        angle *= 0.6
        y = top + shown - high / 2
        x = (left + right) / 2 + rng.uniform(-0.45, 0.45) * high * aspect
        return placed((x, y), high, aspect, angle, size)
    if rng.random() < 0.45:
        shown = tall * rng.uniform(0.2, 0.8)
        high = shown / rng.uniform(0.5, 1.0)
        y = top + shown - high / 2
        x = left + wide * rng.uniform(0.3, 0.7) + rng.uniform(-0.35, 0.35) * high * aspect
        return placed((x, y), high, aspect, angle, size)
    if rng.random() < 0.2:
        angle = rng.uniform(-np.pi, np.pi)
    high = tall / np.exp(rng.uniform(np.log(0.13), np.log(0.97)))
    x = (left + right) / 2 + rng.uniform(-0.5, 0.5) * max(high * aspect - 0.5 * wide, 0)
    y = (top + bottom) / 2 + rng.uniform(-0.5, 0.5) * max(high - 0.8 * tall, 0)
    return placed((x, y), high, aspect, angle, size)


def edged(alpha: Image, person: Person, rng: np.random.Generator) -> Image:
    """The edge of scissors, a little inside and softened; a teacher's mask is soft as it is, and is only steepened."""
    x: Numbers = alpha.astype(np.float32) / 255
    if person.trusted:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.5, 1.1))
    return np.asarray(np.clip((x - rng.uniform(0.15, 0.4)) / rng.uniform(0.5, 0.6), 0, 1) * 255, np.uint8)


def relit(cut: Image, alpha: Image, background: Image, rng: np.random.Generator) -> Image:
    """Brighter or darker than it was, and, half of the time, nearer to the background's colours."""
    x: Numbers = cut.astype(np.float32) * rng.uniform(0.65, 1.3)
    if rng.random() < 0.5 and alpha.any():
        weights = alpha.astype(np.float32)
        mean: Numbers = (x * weights[..., None]).sum((0, 1)) / weights.sum()
        x = x + (background.mean((0, 1)) - mean) * rng.uniform(0, 0.7)
    return np.asarray(np.clip(x, 0, 255), np.uint8)
