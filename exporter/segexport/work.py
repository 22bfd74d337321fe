"""One export at work: what goes in, and where its unfinished files lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from segexport.compare import Runner
from segexport.console import Console
from segexport.options import Options
from segexport.pictures.calibration import PictureSet
from segexport.precisions import Precision
from segexport.quantize.recipe import Recipe
from segexport.subject.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One export at work: what goes in, and where its unfinished files lie."""

    options: Options
    subject: Subject
    pictures: PictureSet
    recipe: Recipe | None
    paths: Mapping[str, Path]
    """`onnx` and each precision → its file."""
    kinds: Mapping[str, Precision]
    folder: Path
    playground: Path
    """Where converters put what nobody asked for."""
    runner: Runner
    """Runs every new file, in a child process: one that crashes its interpreter is refused, and nothing else ends."""
    console: Console
