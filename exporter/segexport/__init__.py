"""A trained segmentation network → ONNX and TFLite files that give the same mask.

result = segexport.export(network, calibration="pictures/", output="out")     # an nn.Module, or the path of a checkpoint
print(result)                                                                 # what was measured of each file
segmenter = segruntime.load(result.paths["int8"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segexport.errors import (
    ArchitectureError,
    CalibrationError,
    CheckpointError,
    ConversionError,
    InaccurateError,
    OptionError,
    OutputError,
    SegExportError,
)

if TYPE_CHECKING:
    from segexport.library import export
    from segexport.report.outcome import Result

__all__ = [
    "ArchitectureError",
    "CalibrationError",
    "CheckpointError",
    "ConversionError",
    "InaccurateError",
    "OptionError",
    "OutputError",
    "Result",
    "SegExportError",
    "export",
]
_LATER = {"export": "segexport.library", "Result": "segexport.report.outcome"}


def __getattr__(name: str) -> object:
    """What needs more than the errors is imported when it is asked for."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATER[name]), name)
