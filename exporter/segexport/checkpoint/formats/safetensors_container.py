"""Safetensors: read by its own library, which holds the header against the file."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from torch import Tensor

from segexport.errors import DamagedCheckpointError, MissingExtraError, shown


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Every tensor under its key, and notes; shared ones that save_model stored once are listed again."""
    try:
        library: Any = importlib.import_module("safetensors")
        importlib.import_module("safetensors.torch")
    except ImportError as error:
        raise MissingExtraError("safetensors", "export") from error
    try:
        with library.safe_open(str(path), framework="pt", device="cpu") as file:
            metadata: dict[str, str] = file.metadata() or {}
            tensors: dict[str, Tensor] = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except (library.SafetensorError, OSError, ValueError, KeyError, AttributeError) as error:
        raise DamagedCheckpointError(path, f"broken safetensors header or data ({shown(str(error))})") from error
    shared = {key: kept for key, kept in metadata.items() if key not in tensors and kept in tensors}
    tensors.update({key: tensors[kept] for key, kept in shared.items()})
    return tensors, (f"{len(shared)} shared tensors were stored once and are listed again.",) if shared else ()
