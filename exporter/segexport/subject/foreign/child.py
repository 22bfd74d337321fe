"""A foreign .onnx checked against onnx and onnxruntime, in a child process: such files have crashed both."""

from __future__ import annotations

import re
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segexport.errors import CheckpointError, ConversionError, shown
from segexport.process.child import Child

_WORKER = Path(__file__).with_name("worker.py")
_PACKAGES = ("numpy", "onnx", "onnxruntime")
_ADVICE = "export it again, or give the PyTorch checkpoint"
_LIMIT_S = 1800.0  # for one question
_NAMES = count()
_ORT_NOISE = re.compile(
    r"\[ONNXRuntimeError\] : \d+ : \w+ : |Load model from \S+ failed:|Non-zero status code returned while running |"
    r"Exception during initialization: |Status Message: |\[ShapeInferenceError\] |"
    r"/onnxruntime_src/\S+:\d+ .*?\)(?: const)?(?: \[with .*?\])? "
)
"""Before what onnxruntime has to say; a message is cut after 120 characters."""


class RefusedError(Exception):
    """What onnx or onnxruntime said about a model; anyone who asked knows what to say of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignModel:
    """A model that the child has as the file `name`; `path` is the user's file, for messages.

    Each method raises, next to what it says itself:
        RefusedError: onnx or onnxruntime does not take the model.
        CheckpointError: the model crashes the child, or takes it longer than half an hour.
    """

    child: Child
    path: Path
    name: str

    def check(self) -> None:
        """onnx's own check."""
        self._ask(do="check")

    def giant(self, most: int) -> tuple[str, tuple[int, ...]] | None:
        """Name and shape of a value of more than `most` elements, as far as shapes can be told without running anything."""
        found = self._ask(do="giant", most=most)
        return (str(found["name"]), tuple(map(int, found["shape"]))) if found else None

    def run(self, image: npt.NDArray[np.float32], *, sized: bool = False) -> list[npt.NDArray[Any]]:
        """All outputs for an image `(1, 3, H, W) float32, RGB, 0–1`.

        `sized`: the user chose the size, so another one may do.

        Raises:
            CheckpointError: also where onnxruntime refuses it.
        """
        folder = self.child.start()
        np.save(folder / "image.npy", image)
        try:
            found = self._ask(do="run", image="image.npy")
        except RefusedError as error:
            said = shown(_ORT_NOISE.sub("", str(error)))
            raise CheckpointError(
                f"{self.path}: onnxruntime refuses it ({said}). {'Try another --size, export' if sized else 'Export'} "
                "it again, or give the PyTorch checkpoint"
            ) from error
        return [np.load(folder / name, allow_pickle=False) for name in found["outputs"]]

    def _ask(self, **job: Any) -> dict[str, Any]:
        try:
            found = self.child.ask({"step": str(self.path), "model": self.name, **job}, lambda _: None)
        except ConversionError as error:
            raise CheckpointError(str(error)) from error
        if "refused" in found:
            raise RefusedError(str(found["refused"]))
        return found


class Foreign:
    """The child process, and its room among the system's temporary files; both go when nobody holds this any more."""

    def __init__(self, *, worker: Path = _WORKER, limit_s: float = _LIMIT_S) -> None:
        room = tempfile.TemporaryDirectory(prefix="segexport-")
        self._child = Child(worker, Path(room.name), limit_s=limit_s, packages=_PACKAGES, advice=_ADVICE)
        self.close = weakref.finalize(self, _close, self._child, room)
        self._child.start()  # it loads its libraries while the model is read here

    @contextmanager
    def opened(self, path: Path, model: bytes) -> Iterator[ForeignModel]:
        """`model`, made of what the user's file `path` holds, for as long as the context lasts.

        Raises:
            MissingExtraError: onnx or onnxruntime is not installed.
        """
        stored = self._child.start() / f"{next(_NAMES)}.onnx"
        stored.write_bytes(model)
        try:
            yield ForeignModel(child=self._child, path=path, name=stored.name)
        finally:
            stored.unlink(missing_ok=True)


def _close(child: Child, room: tempfile.TemporaryDirectory[str]) -> None:
    child.close()
    room.cleanup()
