"""What networks were trained on, written out in numpy: `(…, 3) float64`, RGB in 0..255 → the network's input."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def imagenet(x: Array) -> Array:
    # torchvision.transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]) after ToTensor
    return (x / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])


def imagenet_minmax(x: Array) -> Array:
    y = imagenet(x)
    return (y - y.min()) / (y.max() - y.min())


FORMULAS: dict[str, Callable[[Array], Array]] = {
    "imagenet": imagenet,
    "imagenet-minmax": imagenet_minmax,
    "unit": lambda x: x / 255,
    "symmetric": lambda x: x / 127.5 - 1,
    "none": lambda x: x,
}
