"""What the network itself says of pictures: PyTorch, or onnxruntime for a foreign ONNX, through the runtime's preprocessing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segexport.compare.reference import Reference
from segexport.errors import CheckpointError
from segexport.pictures.files import Picture

Tensor = npt.NDArray[np.float32]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Of one picture."""

    mask: Tensor
    """Probability `(1, 1, h, w)`"""
    logits: npt.NDArray[Any]
    """What the network gives before its head, in whatever shape."""
    margin: npt.NDArray[Any]
    """How far the person is ahead, in logits."""


def ask(
    run: Callable[[Tensor], Answer],
    pictures: Sequence[Picture],
    names: tuple[str, ...],
    size: tuple[int, int],
    say: Say,
    who: str = "PyTorch",
) -> Reference:
    """Every picture, `(H, W, 3) uint8, BGR, 0–255`, resized to `size` (height, width) and put into `run`.

    Args:
        names: one for each picture.
        say: told about each picture.
        who: what runs the network.

    Raises:
        CheckpointError: a value is NaN or infinite; no file could be compared with that.
    """
    frames, masks, largest, low, high = [], [], 0.0, math.inf, -math.inf
    for index, (frame, image) in enumerate(_prepared(pictures, size)):
        say(f"{who} {index + 1}/{len(pictures)}")
        answer = run(image)
        if not all(np.isfinite(values).all() for values in (answer.mask, answer.logits, answer.margin)):
            raise CheckpointError(
                f"{who} gives NaN or infinite values for picture {names[index]}, expected numbers; "
                "the weights are damaged, or --preprocess, --mean or --std is far from what training used"
            )
        frames.append(frame)
        masks.append(answer.mask[0, 0].astype(np.float32))
        largest = max(largest, float(np.abs(answer.margin).max()))
        low, high = min(low, float(answer.logits.min())), max(high, float(answer.logits.max()))
    unit = (low, high) if 0 <= low <= high <= 1 else None
    return Reference(
        frames=np.stack(frames),
        masks=np.stack(masks),
        names=names,
        largest_logit=largest,
        who=who,
        unit_range=unit,
    )


def _prepared(pictures: Sequence[Picture], size: tuple[int, int]) -> Iterator[tuple[Picture, Tensor]]:
    """Each picture in `size` as bytes, and as the network's input `(1, 3, H, W)`."""
    import cv2

    from segruntime.model_file.contract import InputSpec
    from segruntime.preprocess import BYTE_BILINEAR, Preprocessor

    height, width = size
    spec = InputSpec(width=width, height=height, layout="NCHW", dtype="float32", color="rgb", value_range=(0.0, 1.0))
    preprocess = Preprocessor(spec)
    for picture in pictures:
        frame = np.asarray(cv2.resize(picture, (width, height), interpolation=BYTE_BILINEAR), np.uint8)
        yield frame, np.asarray(preprocess(frame), np.float32)
