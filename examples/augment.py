"""Augmentation for portrait training: geometry, background swaps, colour, blur, compression.

Every function takes and gives an image `(H, W, 3) uint8, RGB` and a mask `(H, W) uint8, 0–255`; what is random is drawn
from a `numpy.random.Generator`.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]


def clean_plate(image: Image, mask: Image) -> Image:
    """The picture with its person painted over, to serve as a background for another one.

    A person's pixel takes the mirrored pixel where that is background, else a blur of the background around it.
    """
    person = cv2.dilate(mask, np.ones((9, 9), np.uint8)) > 127
    keep = (~person).astype(np.float32)
    size = (image.shape[1] // 8 + 1, image.shape[0] // 8 + 1)
    weight = cv2.GaussianBlur(cv2.resize(keep, size, interpolation=cv2.INTER_AREA), (0, 0), 6)
    colour = cv2.GaussianBlur(cv2.resize(image * keep[..., None], size, interpolation=cv2.INTER_AREA), (0, 0), 6)
    fill = cv2.resize(colour / (weight[..., None] + 1e-4), (image.shape[1], image.shape[0]))
    plate = np.where(person[..., None], np.clip(fill, 0, 255).astype(np.uint8), image)
    use_mirror = person & ~person[:, ::-1]
    return np.where(use_mirror[..., None], image[:, ::-1], plate).astype(np.uint8)


def warp(image: Image, mask: Image, size: int, rng: np.random.Generator) -> tuple[Image, Image]:
    """Flip, crop, scale, stretch and turn, in one resampling, to `size` x `size`."""
    height, width = mask.shape
    zoom = np.exp(rng.uniform(np.log(0.8), np.log(1.8)))
    stretch = np.exp(rng.uniform(-0.18, 0.18))
    scale_x, scale_y = size / width * zoom * stretch, size / height * zoom / stretch
    if rng.random() < 0.5:
        scale_x = -scale_x
    angle = np.deg2rad(rng.normal(0, 8))
    linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([scale_x, scale_y])
    slack = abs(zoom - 1) * 0.5 + 0.06
    centre = np.array([width, height]) / 2
    target = np.array([size, size]) / 2 + rng.uniform(-slack, slack, 2) * size
    matrix = np.column_stack([linear, target - linear @ centre])
    shrink = min(abs(scale_x), abs(scale_y))
    interpolation = cv2.INTER_AREA if shrink < 0.5 else cv2.INTER_LINEAR
    border = cv2.BORDER_REFLECT_101 if rng.random() < 0.6 else cv2.BORDER_CONSTANT
    grey = [float(v) for v in rng.uniform(0, 255, 3)]
    warped = cv2.warpAffine(image, matrix, (size, size), flags=interpolation, borderMode=border, borderValue=grey)
    warped_mask = cv2.warpAffine(
        mask, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=[0.0]
    )
    return warped.astype(np.uint8), warped_mask.astype(np.uint8)


def synthetic_background(size: int, rng: np.random.Generator) -> Image:
    """A colour gradient with soft noise: walls, skies, studio paper."""
    corners = rng.uniform(0, 255, (2, 2, 3)).astype(np.float32)
    if rng.random() < 0.5:
        corners[:] = corners[:1, :1] + rng.normal(0, 12, (2, 2, 3))
    base = cv2.resize(corners, (size, size), interpolation=cv2.INTER_LINEAR)
    grain = rng.normal(0, rng.uniform(0, 14), (size // 4, size // 4, 3)).astype(np.float32)
    return np.asarray(np.clip(base + cv2.resize(grain, (size, size)), 0, 255), np.uint8)


def replace_background(image: Image, mask: Image, plate: Image, rng: np.random.Generator) -> Image:
    """The person on another background, with a soft edge and, now and then, the background out of focus."""
    size = mask.shape[0]
    side = rng.uniform(0.4, 1.0)
    h, w = (max(8, int(n * side)) for n in plate.shape[:2])
    top, left = rng.integers(0, plate.shape[0] - h + 1), rng.integers(0, plate.shape[1] - w + 1)
    background = cv2.resize(plate[top : top + h, left : left + w], (size, size), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        background = background[:, ::-1]
    if rng.random() < 0.4:
        background = cv2.GaussianBlur(background, (0, 0), rng.uniform(1, 6))
    alpha = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 1.4)).astype(np.float32)[..., None] / 255
    gain = rng.uniform(0.75, 1.25)
    mixed = image * alpha + np.clip(background * gain, 0, 255) * (1 - alpha)
    return np.asarray(np.clip(mixed, 0, 255), np.uint8)


def recolour(image: Image, rng: np.random.Generator) -> Image:
    """Exposure, contrast, gamma, white balance, saturation."""
    x = image.astype(np.float32) / 255
    x = x * rng.uniform(0.7, 1.3) * rng.uniform(0.88, 1.12, 3).astype(np.float32)
    x = (x - x.mean()) * rng.uniform(0.7, 1.35) + x.mean()
    x = np.clip(x, 0, 1) ** np.exp(rng.normal(0, 0.25))
    grey = x @ np.array([0.299, 0.587, 0.114], np.float32)
    saturation = 0.0 if rng.random() < 0.06 else rng.uniform(0.5, 1.5)
    x = grey[..., None] + (x - grey[..., None]) * saturation
    return np.asarray(np.clip(x, 0, 1) * 255, np.uint8)


def degrade(image: Image, rng: np.random.Generator) -> Image:
    """Blur, low resolution, sensor noise or JPEG blocks, as cheap cameras give them."""
    size = image.shape[0]
    kind = rng.integers(0, 4)
    if kind == 0:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6)).astype(np.uint8)
    if kind == 1:
        small = int(size * rng.uniform(0.4, 0.9))
        down = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        return cv2.resize(down, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    if kind == 2:
        noise = rng.normal(0, rng.uniform(2, 14), image.shape).astype(np.float32)
        return np.asarray(np.clip(image + noise, 0, 255), np.uint8)
    ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8) if ok else image


def augment(
    image: Image, mask: Image, plate: Image, size: int, rng: np.random.Generator, *, swap: float
) -> tuple[Image, Image]:
    """One training sample `size` x `size`; `swap` is the probability of another background."""
    image, mask = warp(image, mask, size, rng)
    if rng.random() < swap:
        plate = synthetic_background(size, rng) if rng.random() < 0.25 else plate
        image = replace_background(image, mask, plate, rng)
    if rng.random() < 0.8:
        image = recolour(image, rng)
    if rng.random() < 0.3:
        image = degrade(image, rng)
    return image, mask
