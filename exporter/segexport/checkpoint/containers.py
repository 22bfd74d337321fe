"""Which container a file is, by its first bytes; everything that is not one gets a message that says what it is."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

from segexport.errors import CheckpointError, DamagedCheckpointError, NotACheckpointError
from segruntime.model_file.entries import looks_like_onnx

Container = Literal["zip", "legacy", "safetensors"]
HEAD_BYTES = 1024
MAX_HEADER_BYTES = 100_000_000  # the limit of the safetensors library

# first bytes, what that is, what to do
FOREIGN: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "a git-lfs pointer, the file itself was not fetched", "Run: git lfs pull"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, such as Keras writes", "Give the PyTorch checkpoint instead"),
    (b"\x93NUMPY", "a NumPy array", "Save model.state_dict() with torch.save"),
    (b"\x1f\x8b", "a gzip archive", "Unpack it first"),
    (b"BZh", "a bzip2 archive", "Unpack it first"),
    (b"\xfd7zXZ", "an xz archive", "Unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it first"),
    (b"Rar!", "a RAR archive", "Unpack it first"),
    (b"GGUF", "a GGUF file", "Give the PyTorch checkpoint instead"),
    (b"\x89PNG", "a picture", "Give the PyTorch checkpoint instead"),
    (b"\xff\xd8\xff", "a picture", "Give the PyTorch checkpoint instead"),
    (b"PK\x05\x06", "an empty zip archive", "Save the checkpoint again"),
)


def container_of(path: Path) -> Container:
    """The container of an existing file; a CheckpointError that says what it is for anything else."""
    head = _head(path)
    foreign = next(((found, advice) for magic, found, advice in FOREIGN if head.startswith(magic)), None)
    if foreign:
        raise NotACheckpointError(path, *foreign)
    if head.startswith(b"PK\x03\x04"):
        if not _ends_like_a_zip(path):
            raise DamagedCheckpointError(path, "it starts like a zip archive and its end is missing")
        return "zip"
    _refuse_model_files(path, head)
    if _is_safetensors(path, head):
        return "safetensors"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "legacy"
    raise _unknown(path, head)


def _ends_like_a_zip(path: Path) -> bool:
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:  # an end that claims several disks
        return False


def _head(path: Path) -> bytes:
    if path.is_dir():
        raise CheckpointError(f"{path}: is a folder, expected a file (.pth, .pt, .safetensors). Give the file in it")
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file, expected a checkpoint (.pth, .pt, .safetensors). Check the path")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be opened ({error.strerror}). Check its permissions") from error
    if not head:
        raise CheckpointError(f"{path}: is empty (0 bytes), expected a checkpoint. Copy or download it again")
    return head


def _refuse_model_files(path: Path, head: bytes) -> None:
    if head[4:8] == b"TFL3":
        raise NotACheckpointError(path, "a TFLite model", "It is converted already; segruntime loads it as it is")
    if path.suffix.lower() == ".onnx" or looks_like_onnx(head):
        raise NotACheckpointError(path, "an ONNX model", "Give it to segexport tflite, or load it with segruntime")
    if head[4:8] == b"PTMF":
        raise NotACheckpointError(
            path, "a mobile model in a flatbuffer", "Give the checkpoint, or a .ptl that is a zip"
        )
    if head[257:262] == b"ustar":
        raise NotACheckpointError(path, "a tar archive", "Unpack it; if PyTorch 0.1 wrote it, save it anew")


def _is_safetensors(path: Path, head: bytes) -> bool:
    if path.suffix.lower() == ".safetensors":
        return True
    return 0 < int.from_bytes(head[:8], "little") <= MAX_HEADER_BYTES and head[8:9] == b"{"


def _unknown(path: Path, head: bytes) -> NotACheckpointError:
    if head.lstrip()[:5].lower() in (b"<!doc", b"<html"):
        return NotACheckpointError(path, "a web page", "The download went wrong; download the file itself")
    if _is_text(head):
        return NotACheckpointError(path, "a text file", "Give the file that torch.save wrote")
    return NotACheckpointError(
        path, f"an unknown format (first bytes {head[:8].hex(' ')})", "Give the file that torch.save wrote"
    )


def _is_text(head: bytes) -> bool:
    text = head.decode("utf-8", errors="replace").rstrip("\ufffd")
    return all(character.isprintable() or character in "\r\n\t" for character in text) and "\ufffd" not in text
