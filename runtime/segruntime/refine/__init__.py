"""Soft alpha at full size from the network's small mask: steady in time, along the edges of the picture, never thresholded."""

from segruntime.refine.presets import PRESETS, Preset
from segruntime.refine.refiner import Refiner

__all__ = ["PRESETS", "Preset", "Refiner"]
