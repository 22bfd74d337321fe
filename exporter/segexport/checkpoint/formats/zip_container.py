"""The zip that torch.save writes since 1.6: NAME/data.pkl, NAME/data/0, NAME/data/1, …, NAME/byteorder."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections import Counter
from pathlib import Path

from segexport.checkpoint.pickle.inert_pickle import InertUnpickler
from segexport.errors import DamagedCheckpointError, NotACheckpointError, shown

MAX_PICKLE_BYTES = 256 * 2**20
MAX_RATIO = 100
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class ZipStorages:
    """The storages of an open archive; sizes are what its directory says and were checked against the file's own size."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, folder: str) -> None:
        """`folder`: what stands before `data/` in the names of the entries, with its slash."""
        self.path = path
        self.archive = archive
        self.folder = folder

    def size_bytes(self, key: str) -> int | None:
        """Bytes of the storage; None where the archive has none of that key."""
        info = self.archive.NameToInfo.get(f"{self.folder}data/{key}")
        return None if info is None else info.file_size

    def read(self, key: str) -> bytearray:
        """The bytes of a storage that exists."""
        return bytearray(read_entry(self.path, self.archive, f"{self.folder}data/{key}"))


def open_archive(path: Path, inner: bytes | None = None) -> zipfile.ZipFile:
    """The archive, after its directory was checked for what would fill the memory.

    `inner`: the bytes of an archive that lies in the file, and is opened instead of the file itself.
    """
    size_bytes = path.stat().st_size if inner is None else len(inner)
    try:
        archive = zipfile.ZipFile(path if inner is None else io.BytesIO(inner))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise DamagedCheckpointError(path, f"the zip archive cannot be opened ({shown(str(error))})") from error
    try:
        _check_directory(path, archive.infolist(), size_bytes)
    except DamagedCheckpointError:
        archive.close()
        raise
    return archive


def _check_directory(path: Path, entries: list[zipfile.ZipInfo], size_bytes: int) -> None:
    names = Counter(entry.filename for entry in entries)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise DamagedCheckpointError(path, f"the zip lists {shown(twice[0])!r} twice")
    if sum(entry.compress_size for entry in entries) > size_bytes:
        raise DamagedCheckpointError(path, "a zip bomb, its entries overlap and are larger than the file")
    for entry in entries:
        if entry.flag_bits & 1 or entry.compress_type not in METHODS:
            raise DamagedCheckpointError(
                path, f"zip entry {shown(entry.filename)!r} is encrypted or compressed in an unusual way"
            )
        limit = entry.compress_size * (1 if entry.compress_type == zipfile.ZIP_STORED else MAX_RATIO)
        if entry.file_size > limit:
            sizes = f"{entry.file_size:,} bytes out of {entry.compress_size:,}"
            raise DamagedCheckpointError(path, f"a zip bomb, {shown(entry.filename)!r} declares {sizes}")


def read_entry(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    """All bytes of an entry, checked against its checksum."""
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        raise DamagedCheckpointError(path, f"zip entry {shown(name)!r} cannot be read ({shown(str(error))})") from error


def read_root(path: Path, archive: zipfile.ZipFile) -> tuple[object, ZipStorages]:
    """What was saved, as inert values, and the storages that its tensors refer to."""
    folder = _folder(path, archive.namelist())
    check_byte_order(path, archive, folder)
    size = archive.NameToInfo[f"{folder}data.pkl"].file_size
    if size > MAX_PICKLE_BYTES:
        raise DamagedCheckpointError(path, f"its pickle has {size:,} bytes, the limit is {MAX_PICKLE_BYTES:,}")
    root = InertUnpickler(path).load(read_entry(path, archive, f"{folder}data.pkl"))
    return root, ZipStorages(path, archive, folder)


def check_byte_order(path: Path, archive: zipfile.ZipFile, folder: str) -> None:
    """Refuse an archive in `folder` (with its slash) that says that it is big-endian; silence means little-endian."""
    entry = archive.NameToInfo.get(f"{folder}byteorder")
    if entry is None or entry.file_size >= MAX_RATIO:
        return
    order = read_entry(path, archive, entry.filename)
    if order.strip() != b"little":
        raise DamagedCheckpointError(path, f"byte order {shown(order.decode('latin-1'))!r}, expected 'little'")


def _folder(path: Path, names: list[str]) -> str:
    """The folder of data.pkl with its slash, or "" where it lies at the top."""
    found = [
        name.removesuffix("data.pkl") for name in names if name.rpartition("/")[2] == "data.pkl" and name.count("/") < 2
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise DamagedCheckpointError(path, f"the zip holds {len(found)} files data.pkl")
    inside = ", ".join(shown(name) for name in names[:3])
    raise NotACheckpointError(
        path, f"a zip archive without data.pkl (it holds {inside})", "If a checkpoint is inside, unpack it"
    )
