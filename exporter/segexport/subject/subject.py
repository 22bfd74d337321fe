"""What is exported: its size, where it comes from, how its ONNX is written and what it says itself of a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from segexport.compare.flips import Flips
from segexport.compare.reference import Reference
from segexport.convert.torch_rewrites.lower import Rewritten
from segexport.pictures.files import Picture
from segexport.subject.ask import Say
from segruntime.model_file.contract import Source

Audit = Callable[[Path, npt.NDArray[np.uint8]], Flips]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxFile:
    """What was rewritten for the ONNX file, and how its argmax flips are counted; None where nothing can flip.

    `write_program` writes the same network as torch.export saves it; None where there is no PyTorch.
    """

    rewrites: tuple[Rewritten, ...] = ()
    seldom_converted: tuple[str, ...] = ()
    audit: Audit | None = None
    write_program: Callable[[Path], None] | None = None


class Subject(Protocol):
    """A network with its preprocessing in front and its head behind: RGB in 0..1 in, person probability out."""

    @property
    def source(self) -> Source: ...

    @property
    def variant(self) -> str: ...

    @property
    def assumed_head(self) -> str | None:
        """What was put behind the network though neither the user nor the network said how it ends."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)"""

    @property
    def notes(self) -> tuple[str, ...]: ...

    @property
    def warnings(self) -> tuple[str, ...]: ...

    @property
    def has_program(self) -> bool:
        """Whether it is PyTorch, so that `write_onnx` gives a way to write its program too."""

    def write_onnx(self, path: Path) -> OnnxFile: ...

    def ask(self, pictures: Sequence[Picture], names: tuple[str, ...], say: Say) -> Reference:
        """The masks that every file is compared with, see `subject.ask.ask`."""
