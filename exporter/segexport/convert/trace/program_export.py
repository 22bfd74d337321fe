"""The program of torch.export as a file, for converters that read PyTorch."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch.export import ExportedProgram

from segexport.errors import ConversionError


def write_program(program: ExportedProgram, path: Path) -> None:
    """Write `program`, of a lowered network, as `torch.export.save` does.

    Raises:
        ConversionError: torch.export cannot save it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.export.save(program, path)
    except OSError:
        raise  # the disk's fault
    except Exception as error:  # torch.export raises anything
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ConversionError(f"torch.export cannot save this network ({first[:300]})") from error
