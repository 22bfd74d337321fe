"""Pickles written opcode by opcode, and the files around them; `refused` reads one."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path

from tests.refusals import refusal

from segexport.checkpoint import read_checkpoint
from segexport.errors import CheckpointError

MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def stack_name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def attribute(owner: bytes, of: str) -> bytes:
    """getattr(owner, of)"""
    return name("builtins", "getattr") + owner + text(of) + b"\x86R"


def in_zip(path: Path, data: bytes, **storages: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", data)
        archive.writestr("net/byteorder", b"little")
        for key, values in storages.items():
            archive.writestr(f"net/data/{key.removeprefix('s')}", values)
    return path


def in_legacy(path: Path, data: bytes) -> Path:
    path.write_bytes(MAGIC + data + pickle.dumps([], 2))
    return path


def refused(path: Path, error: type[Exception] = CheckpointError, match: str | None = None) -> str:
    return refusal(error, read_checkpoint, path, match=match, most=699)


def storage(key: str, count: int | bytes, kind: str = "FloatStorage") -> bytes:
    number = count if isinstance(count, bytes) else b"\x8a\x08" + struct.pack("<q", count)
    return b"(" + text("storage") + name("torch", kind) + text(key) + text("cpu") + number + b"tQ"
