"""Libraries that bring networks' classes: imported when a checkpoint needs them, told not to ask the network for anything."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch

from segexport.errors import ArchitectureError, MissingExtraError
from segexport.networks.blame import told
from segexport.networks.offline import offline
from segruntime.errors import install_command

EXTRAS = {"transformers": "hf", "segmentation_models_pytorch": "smp"}
_OPERATORS = ("nms", "qnms")
"""What torchvision's Python part describes while it is imported, whether its compiled part was loaded or not."""
_declared: list[Any] = []


def library(name: str) -> ModuleType:
    """The installed library `name`, one of `EXTRAS`.

    Raises:
        MissingExtraError: it is not installed.
        ArchitectureError: it is, and cannot be imported.
    """
    if find_spec(name) is None:
        raise MissingExtraError(name, EXTRAS[name])
    try:
        with offline(switches=False), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _make_torchvision_importable()
            return import_module(name)
    except Exception as error:
        raise ArchitectureError(
            f"{name} is installed and cannot be imported: {told(error)}; install it anew, "
            f"with what fits it: {install_command(EXTRAS[name])}"
        ) from error


def _make_torchvision_importable() -> None:
    """Both libraries import torchvision, whose compiled part fits one build of torch only; none of it is needed here.

    Where that part does not load (a CPU build of torch next to PyPI's torchvision, say), two of its operators are
    declared without a body, so that its Python part imports; calling one is an error as before.
    """
    if find_spec("torchvision") is None:
        return
    try:
        import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error) or _declared:
            raise
        operators: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for name in _OPERATORS:
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(operators)
        for module in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[module]
        import_module("torchvision")
