"""The format before PyTorch 1.6: five pickles one after the other, then for each storage a count and its bytes."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from segexport.checkpoint.pickle.inert_pickle import InertUnpickler
from segexport.errors import DamagedCheckpointError, NotACheckpointError, shown

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001


class LegacyStorages:
    """Where each storage lies in the mapped file; every range was checked against the file's size."""

    def __init__(self, data: mmap.mmap, ranges: dict[str, tuple[int, int]]) -> None:
        self.data = data
        self.ranges = ranges

    def size_bytes(self, key: str) -> int | None:
        """Bytes of the storage; None where the file has none of that key."""
        return self.ranges[key][1] if key in self.ranges else None

    def read(self, key: str) -> bytearray:
        """The bytes of a storage that exists."""
        start, size = self.ranges[key]
        return bytearray(self.data[start : start + size])


def read_root(path: Path, data: mmap.mmap) -> tuple[object, LegacyStorages]:
    """What was saved, as inert values, and the storages that its tensors refer to."""
    unpickler = InertUnpickler(path)
    _check_magic(path, unpickler.load(data))
    version = unpickler.load(data)
    if not isinstance(version, int) or version != PROTOCOL:
        raise DamagedCheckpointError(path, f"legacy format of another version than {PROTOCOL}")
    system = unpickler.load(data)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise DamagedCheckpointError(path, "byte order 'big', expected 'little'")
    root = unpickler.load(data)
    keys = unpickler.load(data)
    return root, LegacyStorages(data, _ranges(path, data, keys, unpickler))


def _check_magic(path: Path, magic: object) -> None:
    if not isinstance(magic, int) or magic != MAGIC:
        raise NotACheckpointError(path, "a plain pickle that torch.save did not write", "Write it with torch.save")


def _ranges(path: Path, data: mmap.mmap, keys: object, unpickler: InertUnpickler) -> dict[str, tuple[int, int]]:
    """Storage key → (first byte, bytes)."""
    if not isinstance(keys, list):
        raise DamagedCheckpointError(path, "the list of its storages is missing")
    ranges: dict[str, tuple[int, int]] = {}
    position = data.tell()
    for key in keys:
        if not isinstance(key, str) or key not in unpickler.storages or key in ranges:
            raise DamagedCheckpointError(path, "the list of its storages names one that is unknown or listed twice")
        if position + 8 > len(data):
            raise DamagedCheckpointError(path, f"it is cut off, storage {shown(key)} of {len(keys)} is missing")
        (count,) = struct.unpack_from("<q", data, position)
        size = count * unpickler.storages[key].dtype.itemsize
        position += 8
        if count < 0 or size > len(data) - position:
            raise DamagedCheckpointError(
                path,
                f"it is cut off, storage {shown(key)} declares {size:,} bytes and {len(data) - position:,} are left",
            )
        ranges[key] = (position, size)
        position += size
    return ranges


def map_file(path: Path) -> mmap.mmap:
    """The file mapped read-only: reads beyond its end are short, whatever length a pickle declares."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
