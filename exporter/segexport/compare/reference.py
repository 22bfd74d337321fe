"""PyTorch's masks: what every file is compared with, kept beside the files so that `verify` needs no torch."""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from segexport.errors import ArchitectureError, CheckpointError, OutputError
from segexport.pictures.files import Picture

if TYPE_CHECKING:  # torch stays out of `verify`
    from segexport.subject.deploy import Deployable

FILE_NAME = "reference.npz"
KEPT = 12
THRESHOLD = 0.5
BEYOND = 0.01  # rounding, and resizing with a filter that overshoots
ALMOST_NONE = 0.001  # of the pixels
_MOST_BYTES = 2**31  # 12 pictures and masks of 4096x4096 take 1.4 GB
_NPZ_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Pictures at the network's size `(N, H, W, 3) uint8, BGR` and their probabilities `(N, h, w) float32, 0–1`."""

    frames: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.float32]
    names: tuple[str, ...]
    largest_logit: float
    who: str = "PyTorch"
    unit_range: tuple[float, float] | None = None
    """Smallest and largest of what the network itself gave, where all of it lies in 0..1."""
    of_drawn: bool = False
    """Whether segexport drew the pictures itself."""

    def doubts(self) -> tuple[str, ...]:
        """What makes a comparison say little: masks without any person, or with nothing else."""
        shares = (self.masks > THRESHOLD).mean(axis=(1, 2))
        if shares.max() < ALMOST_NONE or shares.min() > 1 - ALMOST_NONE:
            what = "finds nobody" if shares.max() < ALMOST_NONE else "takes everything for the person"
            return (
                f"{self.who}'s own mask {what} in all {len(shares)} pictures, so a comparison of masks says little; "
                "is it the right --preprocess, --color and --person, and are there people in the pictures?",
            )
        return ()

    def refuse_wrong_end(self, head: str | None) -> None:
        """Raise ArchitectureError where the masks are no probabilities, or where they were ones before `head` squashed them.

        Args:
            head: what was put behind it; None where it is known how the network ends.
        """
        if self.masks.min() < -BEYOND or self.masks.max() > 1 + BEYOND:
            raise ArchitectureError(
                f"what --head none takes for a probability lies in {self.masks.min():.3g} to {self.masks.max():.3g}, expected "
                "0 to 1; leave --head none out, so that a sigmoid or softmax is put behind the network"
            )
        if head is not None and self.unit_range is not None:
            low, high = self.unit_range
            raise ArchitectureError(
                f"all that the network gives for {len(self.names)} pictures lies in 0..1 ({low:.3g} to {high:.3g}), so it may "
                f"be a probability already, and a {head} would squash it twice; give --head none to take it as it is, or "
                f"--head {head} where it is logits"
            )

    def in_order(self, places: Sequence[int]) -> Reference:
        """The pictures at `places` first, in that order, then the others."""
        order = [*places, *(k for k in range(len(self.names)) if k not in set(places))]
        return replace(
            self, frames=self.frames[order], masks=self.masks[order], names=tuple(self.names[k] for k in order)
        )

    def kept(self) -> Reference:
        """The first 12 pictures and masks."""
        return replace(self, frames=self.frames[:KEPT], masks=self.masks[:KEPT], names=self.names[:KEPT])

    def save(self, path: Path) -> None:
        np.savez_compressed(
            path,
            frames=self.frames,
            masks=self.masks,
            names=np.array(self.names),
            largest_logit=np.float64(self.largest_logit),
        )


def load_reference(path: Path) -> Reference:
    """What `save` wrote.

    Raises:
        OutputError: missing or damaged.
    """
    try:
        _check_declared_size(path)
        with np.load(path, allow_pickle=False) as stored:
            reference = Reference(
                frames=np.asarray(stored["frames"], np.uint8),
                masks=np.asarray(stored["masks"], np.float32),
                names=tuple(str(name) for name in np.atleast_1d(stored["names"])),
                largest_logit=float(stored["largest_logit"]),
            )
        _check_shapes(reference)
    except _NPZ_ERRORS as error:
        raise OutputError(
            f"{path}: the reference masks cannot be read ({error}); export the checkpoint again"
        ) from error
    return reference


def _check_declared_size(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        declared = sum(info.file_size for info in archive.infolist())
    if declared > _MOST_BYTES:
        raise ValueError(f"unpacks to {declared} bytes, at most {_MOST_BYTES} expected")


def _check_shapes(reference: Reference) -> None:
    frames, masks, count = reference.frames, reference.masks, len(reference.names)
    if frames.ndim != 4 or frames.shape[3] != 3 or masks.ndim != 3 or not len(frames) == len(masks) == count > 0:
        raise ValueError(
            f"frames {frames.shape}, masks {masks.shape}, {count} names; expected (N, H, W, 3), (N, h, w), N above 0"
        )
    if not np.isfinite(masks).all():
        raise ValueError("masks hold NaN or infinity, expected probabilities")


def ask_pytorch(
    graph: Deployable,
    pictures: Sequence[Picture],
    names: tuple[str, ...],
    size: tuple[int, int],
    say: Callable[[str], None],
) -> Reference:
    """Run the deployable graph on every picture, through the runtime's preprocessing; `size` is (height, width).

    Raises:
        CheckpointError: a logit is NaN or infinite; no file could be compared with that.
    """
    import cv2
    import torch

    from segexport.convert.torch_rewrites.threads import UnpoolsInOrder
    from segruntime.model_file.contract import InputSpec
    from segruntime.preprocess import BYTE_BILINEAR, Preprocessor

    height, width = size
    spec = InputSpec(width=width, height=height, layout="NCHW", dtype="float32", color="rgb", value_range=(0.0, 1.0))
    preprocess = Preprocessor(spec)
    frames, masks, largest, low, high = [], [], 0.0, math.inf, -math.inf
    for index, picture in enumerate(pictures):
        say(f"PyTorch {index + 1}/{len(pictures)}")
        frame = np.asarray(cv2.resize(picture, (width, height), interpolation=BYTE_BILINEAR), np.uint8)
        with UnpoolsInOrder(), torch.inference_mode():
            logits = graph.logits(torch.from_numpy(preprocess(frame).copy()))
            masks.append(graph.head(logits)[0, 0].numpy().astype(np.float32))
            largest = max(largest, float(graph.head.margin(logits).abs().max()))
            finite = bool(logits.isfinite().all())
            low, high = min(low, float(logits.min())), max(high, float(logits.max()))
        if not finite:
            raise CheckpointError(
                f"PyTorch itself gives NaN or infinite logits for picture {names[index]}, expected numbers; "
                "the weights are damaged, or --preprocess, --mean or --std is far from what training used"
            )
        frames.append(frame)
    unit = (low, high) if 0 <= low <= high <= 1 else None
    return Reference(
        frames=np.stack(frames), masks=np.stack(masks), names=names, largest_logit=largest, unit_range=unit
    )
