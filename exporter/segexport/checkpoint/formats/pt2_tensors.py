"""The list of weights in a `.pt2`: name → file, type, sizes, strides and offset, all as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from segexport.checkpoint.pickle.inert import StorageRef, TensorRef
from segexport.checkpoint.pickle.reducers import MAX_DIMENSIONS
from segexport.checkpoint.tensors import Storages
from segexport.errors import CheckpointError, DamagedCheckpointError, shown

# torch/_export/serde/schema.py, ScalarType
SCALAR_TYPES: dict[int, torch.dtype] = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    10: torch.complex64,
    11: torch.complex128,
    12: torch.bool,
    13: torch.bfloat16,
    28: torch.uint16,
    29: torch.float8_e4m3fn,
    30: torch.float8_e5m2,
}
STRIDED = 7
MAX_TENSORS = 100_000


def refs_of(path: Path, listed: Mapping[str, Any], kind: str, storages: Storages) -> dict[str, TensorRef]:
    """Every tensor of the list, in order; layouts are checked against the bytes when they are loaded.

    `kind` is the folder below `data/`. Pickled constants (custom objects) are left out, pickled weights refused.
    """
    entries = listed.get("config")
    if not isinstance(entries, dict) or len(entries) > MAX_TENSORS:
        raise DamagedCheckpointError(path, f"its list of {kind} is no JSON object of at most {MAX_TENSORS:,} entries")
    refs = {}
    for key, entry in entries.items():
        if isinstance(entry, dict) and entry.get("use_pickle"):
            if kind == "weights":
                raise CheckpointError(
                    f"{path}: {shown(key)} is a tensor subclass that was pickled, expected plain floating values. "
                    "Export the float model"
                )
            continue
        refs[key] = _ref(path, key, entry, kind, storages)
    return refs


def _ref(path: Path, key: str, entry: Any, kind: str, storages: Storages) -> TensorRef:
    try:
        meta = entry["tensor_meta"]
        if meta["layout"] != STRIDED:
            raise CheckpointError(f"{path}: {shown(key)} is a sparse tensor, expected plain values. Export it dense")
        dtype = SCALAR_TYPES[_whole(meta["dtype"])]
        place = f"{kind}/{entry['path_name']}"
        size, stride = _wholes(meta["sizes"]), _wholes(meta["strides"])
        held = storages.size_bytes(place)
        numel = int(all(size)) if held is None else held // dtype.itemsize
        device = shown(str(meta["device"]["type"]))
        return TensorRef(StorageRef(place, dtype, device, numel), dtype, _static(meta["storage_offset"]), size, stride)
    except CheckpointError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedCheckpointError(path, f"the list entry of {shown(key)} makes no sense") from error


def _wholes(values: Any) -> tuple[int, ...]:
    if not isinstance(values, list) or len(values) > MAX_DIMENSIONS:
        raise ValueError("a size or stride that is no short list")
    return tuple(_static(value) for value in values)


def _static(value: Any) -> int:
    return _whole(value["as_int"])


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("not a whole number")
    return value
