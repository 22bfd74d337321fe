"""PyTorch's masks: what every file is compared with, kept next to the files so that `verify` needs no torch."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segexport.errors import ArchitectureError, OutputError

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
