"""float32 TFLite → quantized TFLite, each step in a child process around ai-edge-quantizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segexport.convert.child import Progress, run_child
from segexport.convert.tflite_export import require
from segexport.ranges import Ranges, load_ranges

_WORKER = "segexport.convert.quantize_worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantizer:
    """Quantizes one float32 file; `folder` is the child processes' playground, `limit_s` the time that each of them has.

    Raises, in every method:
        MissingExtraError: ai-edge-quantizer is not installed.
        ConversionError: it failed or took longer than `limit_s` seconds.
    """

    float32: Path
    folder: Path
    limit_s: float
    progress: Progress

    def measure(self, pictures: npt.NDArray[np.float32]) -> Ranges:
        """Run `pictures` `(N, H, W, 3) float32, RGB, 0–1` and note what values each tensor takes on each of them."""
        target = self.folder / "measured.npz"
        self._run("calibration", "measure", pictures=self._stored(pictures), ranges=str(target))
        return load_ranges(target)

    def write(
        self, target: Path, precision: str, ranges: Ranges | None = None, float_layers: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Write `target`; gives the layers that ai-edge-quantizer could not hold and that stayed in float besides.

        `ranges`: for int8 and int16x8. `float_layers`: names of operators' outputs in the float32 file.
        """
        stored = self.folder / "ranges.npz"
        if ranges is not None:
            ranges.save(stored)
        found = self._run(
            precision,
            "quantize",
            target=str(target),
            precision=precision,
            ranges=None if ranges is None else str(stored),
            float_layers=list(float_layers),
        )
        return tuple(found["forced"])

    def noise(self, quantized: Path, pictures: npt.NDArray[np.float32]) -> dict[str, float]:
        """Signal-to-noise ratio (power, not dB) of each tensor of `quantized`, by name, on `pictures` as in `measure`.

        `quantized`: as `write` left it; ai-edge-quantizer refuses one with bytes at its ends.
        """
        found = self._run("signal-to-noise", "noise", quantized=str(quantized), pictures=self._stored(pictures))
        return {str(name): float(value) for name, value in found["snr"].items()}

    def _run(self, step: str, do: str, **job: Any) -> dict[str, Any]:
        require("ai_edge_quantizer")
        whole = {"step": step, "do": do, "float32": str(self.float32), **job}
        return run_child(_WORKER, whole, self.folder, limit_s=self.limit_s, progress=self.progress)

    def _stored(self, pictures: npt.NDArray[np.float32]) -> str:
        path = self.folder / "pictures.npy"
        np.save(path, pictures)
        return str(path)
