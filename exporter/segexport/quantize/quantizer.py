"""float32 TFLite → quantized TFLite, each step in a child process around litert-quantizer."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segexport.process.child import Child, Progress
from segexport.quantize.delicate import delicate
from segexport.quantize.rewrites import write_prepared
from segexport.tflite.graph import Operator, read_operators
from segexport.tflite.ranges import Ranges, load_ranges
from segexport.tflite.structure import LARGEST, check_ranges, check_structure

_WORKER = Path(__file__).with_name("worker.py")
_PACKAGES = ("litert_quantizer", "ai_edge_litert")
_FLOAT32, _PREPARED = "float32.tflite", "prepared.tflite"
INTEGER = frozenset({"int8", "int16x8"})
"""Precisions whose activations are integers."""


class Quantizer:
    """Quantizes one float32 file, in one child process that stays for all its jobs; a context that kills it at the end.

    Integers are made of `prepared`, where operators that litert-quantizer does not know are written in ones that it does
    (`rewrites/`); names of layers and ranges are those of that file.

    The child starts with the first job, in a room in `folder`, which is also where unfinished files may lie; each job has
    `limit_s` seconds. After a job that failed the next one gets a new child.

    Raises, in every method:
        MissingExtraError: litert-quantizer is not installed.
        ConversionError: it failed or took longer than `limit_s` seconds.
    """

    def __init__(self, *, float32: Path, folder: Path, limit_s: float, progress: Progress) -> None:
        self.float32, self.folder = float32, folder
        self._progress = progress
        self._child = Child(_WORKER, folder, limit_s=limit_s, packages=_PACKAGES)
        self._prepared: Path | None = None

    @property
    def prepared(self) -> Path:
        """What integers are made of: the float32 file, or that with operators rewritten."""
        if self._prepared is None:
            target = self.folder / _PREPARED
            self._prepared = target if write_prepared(self.float32, target) else self.float32
        return self._prepared

    def measure(self, pictures: npt.NDArray[np.float32]) -> Ranges:
        """Run `pictures` `(N, H, W, 3) float32, RGB, 0–1` and note what values each tensor takes on each of them."""
        folder = self._ready()
        np.save(folder / "pictures.npy", pictures)
        self._run("calibration", "measure", pictures="pictures.npy", ranges="measured.npz")
        ranges = _behind_padding(load_ranges(folder / "measured.npz"), read_operators(self.prepared))
        check_ranges(ranges, self.prepared, "calibration")
        return ranges

    def write(
        self, target: Path, precision: str, ranges: Ranges | None = None, float_layers: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Write `target`; gives the layers that could not be held in it and stayed in float besides.

        `ranges`: for int8 and int16x8. `float_layers`: names of operators' outputs in `prepared`; those that `delicate` finds
        stay in float in any case.
        """
        folder = self._ready()
        if precision in INTEGER:
            float_layers = list(dict.fromkeys([*float_layers, *delicate(read_operators(self.prepared))]))
        if ranges is not None:
            ranges.save(folder / "ranges.npz")
        found = self._run(
            precision,
            "quantize",
            target="quantized.tflite",
            precision=precision,
            ranges=None if ranges is None else "ranges.npz",
            float_layers=list(float_layers),
        )
        shutil.copyfile(folder / "quantized.tflite", target)
        check_structure(target, precision)
        return tuple(found["forced"])

    def noise(self, quantized: Path, pictures: npt.NDArray[np.float32]) -> dict[str, float]:
        """Signal-to-noise ratio (power, not dB) of each tensor of `quantized`, by name, on `pictures` as in `measure`.

        `quantized`: an int8 or int16x8 file that `write` made.
        """
        folder = self._ready()
        np.save(folder / "pictures.npy", pictures)
        shutil.copyfile(quantized, folder / "compared.tflite")
        found = self._run("signal-to-noise", "noise", quantized="compared.tflite", pictures="pictures.npy")
        return {str(name): float(value) for name, value in found["snr"].items()}

    def _ready(self) -> Path:
        """The child's folder, with the files that it quantizes."""
        folder = self._child.start()
        if not (folder / _FLOAT32).exists():
            shutil.copyfile(self.float32, folder / _FLOAT32)
            if self.prepared != self.float32:
                shutil.copyfile(self.prepared, folder / _PREPARED)
        return folder

    def _run(self, step: str, do: str, **job: Any) -> dict[str, Any]:
        rewritten = job.get("precision", "int8") in INTEGER and self.prepared != self.float32
        job |= {"step": step, "do": do, "float32": _PREPARED if rewritten else _FLOAT32}
        return self._child.ask(job, self._progress)

    def close(self) -> None:
        """End the child; the next job starts another."""
        self._child.close()

    def __enter__(self) -> Quantizer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _behind_padding(ranges: Ranges, operators: Sequence[Operator]) -> Ranges:
    """Padding with the lowest number, as before a max-pool, widens no range: the lowest integer is as low as all next to it."""
    for operator in operators:
        if operator.kind == "PADV2" and operator.inputs and ranges.lowest(operator.name) < -LARGEST:
            ranges = ranges.with_same(operator.name, operator.inputs[0])
    return ranges
