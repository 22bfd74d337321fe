"""From a described tensor to its values; sizes, strides and offsets are checked against the storage first."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from segexport.checkpoint.pickle.inert import StorageRef, TensorRef
from segexport.errors import DamagedCheckpointError, shown

MAX_COUNT = 2**48
MAX_EXPANSION = 4  # values of a tensor per value of its storage; an expanded tensor repeats values
MAX_GROWTH = 8  # bytes of all tensors per byte of the file: float8 widens by 4, views of one storage by little
SMALL_BYTES = 2**20

Layout = tuple[str, torch.dtype, int, int, tuple[int, ...], tuple[int, ...]]


class Storages(Protocol):
    """Raw bytes by storage key."""

    def size_bytes(self, key: str) -> int | None:
        """Bytes of the storage; None where there is none of that key."""

    def read(self, key: str) -> bytearray:
        """The bytes of a storage that exists."""


def load_tensors(path: Path, refs: dict[str, TensorRef], storages: Storages) -> dict[str, Tensor]:
    """Each tensor, in order, contiguous, floating ones as float32; keys with one layout share one tensor."""
    for key, ref in refs.items():
        _check_layout(path, key, ref, storages)
    layouts = {key: _layout(ref) for key, ref in refs.items()}
    distinct = dict(zip(layouts.values(), refs.values(), strict=True))
    _check_total(path, distinct)
    raw: dict[str, bytearray] = {}
    loaded = {layout: _load(ref, storages, raw) for layout, ref in distinct.items()}
    return {key: loaded[layout] for key, layout in layouts.items()}


def _layout(ref: TensorRef) -> Layout:
    return (ref.storage.key, ref.dtype, ref.storage.start, ref.offset, ref.size, ref.stride)


def _check_layout(path: Path, key: str, ref: TensorRef, storages: Storages) -> None:
    """Raise unless every value of the tensor lies in its storage, and the storage in its container."""
    name = shown(key)
    available = _check_storage(path, name, ref.storage, storages) // ref.dtype.itemsize
    numbers = (ref.offset, *ref.size, *ref.stride)
    if len(ref.size) != len(ref.stride) or any(not 0 <= number < MAX_COUNT for number in numbers):
        raise DamagedCheckpointError(
            path, f"{name}: its size, stride or offset is negative, far too large or of another length"
        )
    if math.prod(max(extent, 1) for extent in ref.size) >= MAX_COUNT:
        raise DamagedCheckpointError(path, f"{name}: a tensor of size {ref.size} is far too large")
    count = math.prod(ref.size)
    if count == 0:
        return
    last = ref.offset + sum((extent - 1) * step for extent, step in zip(ref.size, ref.stride, strict=True))
    if last >= available:
        raise DamagedCheckpointError(
            path, f"{name}: a tensor of size {ref.size} reaches value {last:,} of a storage that has {available:,}"
        )
    if count > MAX_EXPANSION * available:
        raise DamagedCheckpointError(
            path, f"{name}: a tensor of size {ref.size} repeats the {available:,} values of its storage"
        )


def _check_storage(path: Path, name: str, storage: StorageRef, storages: Storages) -> int:
    """The storage's size in bytes as it may be used."""
    declared = storage.numel * storage.dtype.itemsize
    end = storage.start * storage.dtype.itemsize + declared
    held = storages.size_bytes(storage.key)
    if held is None and end == 0:
        return 0
    if held is None or end > held:
        found = "is missing" if held is None else f"has {held:,} bytes"
        raise DamagedCheckpointError(path, f"{name}: storage {shown(storage.key)} {found}, its tensor expects {end:,}")
    return declared


def _check_total(path: Path, distinct: dict[Layout, TensorRef]) -> None:
    total = sum(
        math.prod(ref.size) * (4 if ref.dtype.is_floating_point else ref.dtype.itemsize) for ref in distinct.values()
    )
    limit = SMALL_BYTES + MAX_GROWTH * path.stat().st_size
    if total > limit:
        raise DamagedCheckpointError(
            path, f"its tensors would take {total:,} bytes, the limit for this file is {limit:,}"
        )


def _load(ref: TensorRef, storages: Storages, raw: dict[str, bytearray]) -> Tensor:
    """`raw` keeps what was read, so that each storage is read once however many tensors look into it."""
    if math.prod(ref.size) == 0:
        return torch.empty(ref.size, dtype=torch.float32 if ref.dtype.is_floating_point else ref.dtype)
    key = ref.storage.key
    if key not in raw:
        raw[key] = storages.read(key)
    start = ref.storage.start * ref.storage.dtype.itemsize
    flat = _flat(raw[key], ref.dtype, start)
    view = flat.as_strided(ref.size, ref.stride, ref.offset)
    plain = view.to(torch.float32) if ref.dtype.is_floating_point else view
    plain = plain.contiguous() if view.numel() == flat.numel() else plain.contiguous().clone()
    return plain.ne(0) if ref.dtype == torch.bool else plain


def _flat(values: bytearray, dtype: torch.dtype, start: int) -> Tensor:
    """(n,) `dtype`, the bytes from `start` on, not copied; bool comes as uint8: a file may hold more than 0 and 1."""
    count = (len(values) - start) // dtype.itemsize
    return torch.frombuffer(values, dtype=torch.uint8 if dtype == torch.bool else dtype, count=count, offset=start)
