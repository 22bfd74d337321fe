"""A named text inside a model file: TFLite's appended zip, ONNX's `metadata_props`. Plain bytes, no model library.

Everything is checked against the real size before it is read: these files come from anywhere.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from segruntime.errors import ModelFileError

MAX_TEXT_BYTES = 256 * 1024
_METADATA_PROPS = 14  # ModelProto.metadata_props in onnx.proto
_ONNX_FIELDS = range(1, 27)  # field numbers of ModelProto, with room for newer ones
_MAX_FIELDS = 100_000
_MAX_ZIP_ENTRIES = 256
_ZIP_ERRORS = (
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)


def model_kind(path: Path) -> str:
    """`"tflite"` or `"onnx"`, read from the content; the suffix is not trusted.

    Raises:
        ModelFileError: no such file, empty, or neither kind.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing there"
        raise ModelFileError(f"{path}: found {found}, expected a .tflite or .onnx file; check the path")
    with path.open("rb") as file:
        head = file.read(64)
    if len(head) >= 8 and head[4:8] == b"TFL3":
        return "tflite"
    if looks_like_onnx(head):
        return "onnx"
    found = "an empty file" if not head else f"a file that starts with {head[:8]!r}"
    raise ModelFileError(
        f"{path}: found {found}, expected a TFLite flatbuffer (TFL3) or an ONNX model; copy or export it again"
    )


def read_text(path: Path, name: str) -> str | None:
    """The text stored under `name`, or None where the file holds none.

    Raises:
        ModelFileError: the file is broken, or the text is larger than 256 KiB or not UTF-8.
    """
    data = _from_zip(path, f"{name}.json") if model_kind(path) == "tflite" else _from_onnx(path, name)
    if data is None:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelFileError(f"{path}: {name} inside is not UTF-8 ({error.reason}); export the file again") from error


def with_text(model: bytes, name: str, text: str) -> bytes:
    """The bytes of a TFLite or ONNX model with `text` stored under `name`; one that was there is replaced.

    Raises:
        ModelFileError: the model is broken or of neither kind, or the text is larger than 256 KiB.
    """
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise ModelFileError(f"{name}: {len(text.encode())} bytes, at most {MAX_TEXT_BYTES} fit into a model file")
    try:
        if model[4:8] == b"TFL3":
            return _into_zip(model, f"{name}.json", text)
        if not looks_like_onnx(model[:64]):
            raise ModelFileError("model: neither a TFLite flatbuffer (TFL3) nor an ONNX model; export it again")
        kept = b"".join(
            model[start:end] for start, end, field in _fields(model) if not _is_prop(field, model[start:end], name)
        )
    except ModelFileError:
        raise
    except _ZIP_ERRORS as error:
        raise ModelFileError(f"model: cut off or damaged ({error}); copy or export it again") from error
    entry = _field(1, name.encode()) + _field(2, text.encode())
    return kept + _field(_METADATA_PROPS, entry)


def without_archive(model: bytes) -> bytes:
    """The flatbuffer of a TFLite file alone, without the zip behind it: no contract, no golden pictures.

    Raises:
        ModelFileError: the archive is broken.
    """
    try:
        return model[: _flatbuffer_end(model)]
    except _ZIP_ERRORS as error:
        raise ModelFileError(f"model: cut off or damaged ({error}); copy or export it again") from error


def with_attachment(model: bytes, file_name: str, text: str) -> bytes:
    """The bytes of a TFLite model with a file in the zip behind it, uncompressed, as TFLite's metadata names its files.

    Raises:
        ModelFileError: no TFLite model, a broken one, or more than 256 KiB.
    """
    if model[4:8] != b"TFL3" or len(text.encode()) > MAX_TEXT_BYTES:
        raise ModelFileError(
            f"{file_name}: got {len(text.encode())} bytes for a file that starts with {model[:8]!r}, "
            f"expected at most {MAX_TEXT_BYTES} for a TFLite flatbuffer"
        )
    try:
        return _into_zip(model, file_name, text)
    except _ZIP_ERRORS as error:
        raise ModelFileError(f"model: cut off or damaged ({error}); copy or export it again") from error


def model_sha256(model: bytes) -> str:
    """SHA-256 of the model alone: of a TFLite file the flatbuffer, of an ONNX file all but its `metadata_props`.

    Texts that are stored in the file, or taken out of it, do not change it.

    Raises:
        ModelFileError: the model is broken.
    """
    digest, view = hashlib.sha256(), memoryview(model)
    try:
        if model[4:8] == b"TFL3":
            digest.update(view[: _flatbuffer_end(model)])
        else:
            for start, end, field in _fields(model):
                if field != _METADATA_PROPS:
                    digest.update(view[start:end])
    except _ZIP_ERRORS as error:
        raise ModelFileError(f"model: cut off or damaged ({error}); copy or export it again") from error
    return digest.hexdigest()


def _from_zip(path: Path, name: str) -> bytes | None:
    try:
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) > _MAX_ZIP_ENTRIES:
                raise ModelFileError(f"{path}: its archive lists more than {_MAX_ZIP_ENTRIES} files; export it again")
            found = archive.namelist().count(name)
            if found > 1:
                raise ModelFileError(f"{path}: holds {name} {found} times, expected one; export it again")
            if not found:
                return None
            info = archive.getinfo(name)
            if info.file_size > MAX_TEXT_BYTES:
                raise ModelFileError(
                    f"{path}: {name} inside is {info.file_size} bytes, at most {MAX_TEXT_BYTES} expected"
                )
            with archive.open(info) as file:
                return file.read(MAX_TEXT_BYTES + 1)[: MAX_TEXT_BYTES + 1]
    except ModelFileError:
        raise
    except _ZIP_ERRORS as error:
        if "not a zip" in str(error).lower():
            return None
        raise ModelFileError(
            f"{path}: the archive behind the model is broken ({error}); copy the file again"
        ) from error


def _into_zip(model: bytes, name: str, text: str) -> bytes:
    others: list[tuple[zipfile.ZipInfo, bytes]] = []
    if zipfile.is_zipfile(io.BytesIO(model)):
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            others = [(info, archive.read(info)) for info in archive.infolist() if info.filename != name]
    buffer = io.BytesIO()
    buffer.write(memoryview(model)[: _flatbuffer_end(model)])
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        for info, data in others:
            archive.writestr(info, data)
        # a fixed date: the same export gives the same bytes
        archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text.encode())
    return buffer.getvalue()


def _flatbuffer_end(model: bytes) -> int:
    """Where the zip begins; the end of the file where there is none."""
    if not zipfile.is_zipfile(io.BytesIO(model)):
        return len(model)
    with zipfile.ZipFile(io.BytesIO(model)) as archive:
        return min((info.header_offset for info in archive.infolist()), default=archive.start_dir)


def _from_onnx(path: Path, name: str) -> bytes | None:
    data = path.read_bytes()
    found: bytes | None = None
    try:
        for start, end, field in _fields(data):
            if field == _METADATA_PROPS and _is_prop(field, data[start:end], name):
                if found is not None:
                    raise ModelFileError(f"{path}: holds {name} twice, expected one; export it again")
                entry = _payload(data[start:end])
                values = [_payload(entry[a:b]) for a, b, number in _fields(entry, nested=True) if number == 2]
                found = values[-1] if values else b""
                if len(found) > MAX_TEXT_BYTES:
                    raise ModelFileError(
                        f"{path}: {name} inside is {len(found)} bytes, at most {MAX_TEXT_BYTES} expected"
                    )
    except _BrokenProtobufError as error:
        raise ModelFileError(
            f"{path}: the ONNX file is cut off or damaged ({error}); copy or export it again"
        ) from error
    return found


class _BrokenProtobufError(ValueError):
    pass


def looks_like_onnx(head: bytes) -> bool:
    """By the first three bytes of a file: every writer starts with ir_version (field 1, varint); text and pickles do not."""
    return len(head) > 2 and head[0] == 0x08 and 0 < head[1] < 64 and head[2] >> 3 in _ONNX_FIELDS


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise _BrokenProtobufError(f"a number runs past byte {at}")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _fields(data: bytes, *, nested: bool = False) -> Iterator[tuple[int, int, int]]:
    """Start, end and number of each top-level field; the lengths are checked against the size of the file."""
    at = count = 0
    while at < len(data):
        start, count = at, count + 1
        if count > _MAX_FIELDS:
            raise _BrokenProtobufError(f"more than {_MAX_FIELDS} fields")
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == 0:
            _, at = _varint(data, at)
        elif wire == 2:
            length, at = _varint(data, at)
            at += length
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise _BrokenProtobufError(f"unknown wire type {wire} at byte {start}")
        if at > len(data):
            raise _BrokenProtobufError(f"a field at byte {start} claims to end at {at}, the data ends at {len(data)}")
        if not nested and tag >> 3 not in _ONNX_FIELDS:
            raise _BrokenProtobufError(f"field {tag >> 3} at byte {start} is no field of a model")
        yield start, at, tag >> 3


def _payload(field: bytes) -> bytes:
    _, at = _varint(field, 0)
    _, at = _varint(field, at)
    return field[at:]


def _is_prop(number: int, field: bytes, name: str) -> bool:
    if number != _METADATA_PROPS:
        return False
    entry = _payload(field)
    keys = [_payload(entry[a:b]) for a, b, n in _fields(entry, nested=True) if n == 1]
    return bool(keys) and keys[-1] == name.encode()


def _encode(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, payload: bytes) -> bytes:
    return _encode(number << 3 | 2) + _encode(len(payload)) + payload
