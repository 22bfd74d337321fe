"""A trained segmentation network → ONNX and TFLite files that give the same mask.

made = segexport.export(network, calibration="pictures/", output="out")     # an nn.Module, or the path of a checkpoint
print(made)                                                                 # what was measured of each file
segmenter = segruntime.load(made.paths["int8"])

`inspect` says what a checkpoint is, `verify` whether files still give the same mask. These ten names are the library; the other
errors are in `segexport.errors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segexport.errors import ArchitectureError, ConversionError, InaccurateError, OutputError, SegExportError

if TYPE_CHECKING:
    from segexport.library import export, inspect, verify
    from segexport.options import Options
    from segexport.report.outcome import Export

__all__ = [
    "ArchitectureError",
    "ConversionError",
    "Export",
    "InaccurateError",
    "Options",
    "OutputError",
    "SegExportError",
    "export",
    "inspect",
    "verify",
]
_LATER = {
    "Export": "segexport.report.outcome",
    "Options": "segexport.options",
    "export": "segexport.library",
    "inspect": "segexport.library",
    "verify": "segexport.library",
}


def __getattr__(name: str) -> object:
    """What needs more than the errors is imported when it is asked for."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATER[name]), name)
