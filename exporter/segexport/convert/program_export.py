"""Deployable graph → the program of torch.export, for converters that read PyTorch."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

from segexport.errors import ConversionError


def write_program(graph: nn.Module, height: int, width: int, path: Path) -> None:
    """Write `graph`, lowered, for the static shape `(1, 3, height, width)`, as `torch.export.save` does.

    Raises:
        ConversionError: torch.export cannot trace or save it.
    """
    example = torch.zeros(1, 3, height, width)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.export.save(torch.export.export(graph, (example,)), path)
    except OSError:
        raise  # the disk's fault
    except Exception as error:  # torch.export raises anything
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ConversionError(f"torch.export cannot save this network ({first[:300]})") from error
