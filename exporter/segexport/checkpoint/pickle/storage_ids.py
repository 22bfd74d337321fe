"""Persistent ids: how torch.save's pickles refer to the storages that lie next to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from segexport.checkpoint.pickle.inert import Name, StorageRef
from segexport.errors import DamagedCheckpointError

STORAGE_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
    "UntypedStorage": torch.uint8,
    "QInt8Storage": torch.int8,
    "QUInt8Storage": torch.uint8,
    "QInt32Storage": torch.int32,
}
MAX_COUNT = 2**48
MAX_TAG = 64


def storage_of(path: Path, saved: object) -> StorageRef | Name:
    """The storage of ("storage", type, key, device, count[, view]); the class of ("module", class, file, source)."""
    if not isinstance(saved, tuple) or not saved:
        raise DamagedCheckpointError(path, "its pickle refers to a storage by something else than a tuple")
    if saved[0] == "module" and len(saved) > 1 and isinstance(saved[1], Name):
        return saved[1]
    if saved[0] != "storage" or len(saved) not in (5, 6):
        raise DamagedCheckpointError(path, "its pickle refers to something else than a storage")
    kind, key, device, count = saved[1:5]
    view = saved[5] if len(saved) == 6 else None
    if not isinstance(kind, Name) or kind.module.split(".")[0] != "torch" or kind.name not in STORAGE_DTYPES:
        raise DamagedCheckpointError(
            path, f"storage type {kind.dotted if isinstance(kind, Name) else 'without a name'}"
        )
    if not _is_tag(key) or not _is_tag(device) or not _is_count(count):
        raise DamagedCheckpointError(path, "a storage whose key, device or count makes no sense")
    storage = StorageRef(str(key), STORAGE_DTYPES[kind.name], str(device), int(count))
    return storage if view is None else _view_of(path, storage, view)


def _view_of(path: Path, storage: StorageRef, view: object) -> StorageRef:
    """A part of a storage, as PyTorch before 0.4 wrote it: (key, first value, count)."""
    if not isinstance(view, tuple) or len(view) != 3 or not _is_count(view[1]) or not _is_count(view[2]):
        raise DamagedCheckpointError(path, "a view of a storage that makes no sense")
    if view[1] + view[2] > storage.numel:
        raise DamagedCheckpointError(path, "a view that reaches beyond its storage")
    return replace(storage, start=view[1], numel=view[2])


def _is_tag(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TAG and value.isprintable()


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < MAX_COUNT
