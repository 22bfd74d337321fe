"""What cameras, rooms and networks do to a picture: colour, low light, motion, noise, compression.

Every function takes and gives an image `(H, W, 3) uint8, RGB`; what is random is drawn from a `numpy.random.Generator`.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Numbers = npt.NDArray[Any]
GRAY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def as_bytes(values: Numbers) -> Image:
    """From 0..1."""
    return np.asarray(np.clip(values, 0, 1) * 255 + 0.5, np.uint8)


def recolour(image: Image, rng: np.random.Generator) -> Image:
    """Exposure, white balance, contrast, gamma, saturation; now and then gray, or lit in one colour."""
    x = image.astype(np.float32) / 255
    x = x * rng.uniform(0.7, 1.3) * rng.uniform(0.88, 1.12, 3).astype(np.float32)
    x = (x - x.mean()) * rng.uniform(0.7, 1.35) + x.mean()
    x = np.clip(x, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.25)))
    gray = (x @ GRAY)[..., None]
    kind = rng.random()
    if kind < 0.07:
        x = np.broadcast_to(gray, x.shape)
    elif kind < 0.13:
        x = (0.4 * x + 0.6 * gray) * rng.uniform(0.2, 1.3, 3).astype(np.float32)
    else:
        x = gray + (x - gray) * rng.uniform(0.5, 1.5)
    return as_bytes(x)


def darken(image: Image, rng: np.random.Generator) -> Image:
    """Little light: a fraction of it, and the noise of a sensor at work."""
    x = image.astype(np.float32) / 255 * rng.uniform(0.08, 0.5)
    noise = rng.normal(0, rng.uniform(0.003, 0.03), x.shape).astype(np.float32)
    return as_bytes(x + noise * (0.3 + np.sqrt(x)))


def motion_kernel(rng: np.random.Generator, longest: int) -> Numbers:
    """The mean over a line of at most `longest` pixels in any direction."""
    length = int(rng.integers(3, max(4, longest)))
    kernel = np.zeros((length, length), np.float32)
    half = (length - 1) / 2
    angle = rng.uniform(0, np.pi)
    for t in np.linspace(-half, half, 4 * length):
        kernel[round(half + t * np.sin(angle)), round(half + t * np.cos(angle))] = 1
    return np.asarray(kernel / kernel.sum())


def degrade(image: Image, rng: np.random.Generator) -> Image:
    """Out of focus, moved, of low resolution, noisy, sharpened or compressed, as cheap cameras and calls give them."""
    size = image.shape[0]
    kind = rng.integers(0, 7)
    if kind == 0:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.8)), np.uint8)
    if kind == 1:
        return np.asarray(cv2.filter2D(image, -1, motion_kernel(rng, 9)), np.uint8)
    if kind == 2:
        small = int(size * rng.uniform(0.3, 0.9))
        down = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(down, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
    if kind == 3:
        noise = rng.normal(0, rng.uniform(2, 16), image.shape).astype(np.float32)
        return as_bytes((image + noise) / 255)
    if kind == 4:
        soft = cv2.GaussianBlur(image, (0, 0), 1.2).astype(np.float32)
        return as_bytes((image + rng.uniform(0.3, 1.5) * (image - soft)) / 255)
    ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8) if ok else image


def as_photographed(image: Image, rng: np.random.Generator) -> Image:
    """Each of the above, now and then."""
    if rng.random() < 0.75:
        image = recolour(image, rng)
    if rng.random() < 0.1:
        image = darken(image, rng)
    if rng.random() < 0.4:
        image = degrade(image, rng)
    return image


def drawn_background(size: int, rng: np.random.Generator) -> Image:
    """A colour gradient with soft noise: walls, skies, studio paper."""
    corners = rng.uniform(0, 255, (2, 2, 3)).astype(np.float32)
    if rng.random() < 0.5:
        corners[:] = corners[:1, :1] + rng.normal(0, 12, (2, 2, 3))
    base = cv2.resize(corners, (size, size), interpolation=cv2.INTER_LINEAR)
    grain = rng.normal(0, rng.uniform(0, 14), (size // 4, size // 4, 3)).astype(np.float32)
    return as_bytes((base + cv2.resize(grain, (size, size))) / 255)
