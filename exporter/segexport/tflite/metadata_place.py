"""A named piece of metadata into a .tflite, without taking the file apart.

A flatbuffer's root may stand anywhere, and all that it refers to by distance. So a new root goes before the old file: it refers
to the old parts, one more buffer and one more metadata entry. Not a byte of the old file changes, and its parts keep their
alignment; 118 MB take as long as copying them. Field numbers are those of TensorFlow Lite's `schema.fbs`.
"""

from __future__ import annotations

import io
import struct
import zipfile

from segexport.errors import ConversionError

LARGEST = 2**31 - 1
"""Distances in a flatbuffer are held to 31 bits."""
_ALIGNMENT = 16  # of a buffer's data
_FIELDS = 8  # of the table Model
_VERSION, _BUFFERS, _METADATA = 0, 4, 6
_ROOT, _FIRST = 28, 64  # where the new root stands, and where it ends


def place_metadata(model: bytes, name: str, content: bytes) -> bytes:
    """The model with `content` as its metadata `name`; an entry of that name that was there is no longer listed.

    Raises:
        ConversionError: no TFLite flatbuffer, one with weights or an archive behind it, or one that would pass 2 GB.
    """
    if model[4:8] != b"TFL3":
        raise ConversionError(
            f"TFLite metadata: got a file that starts with {model[:8]!r}, expected a TFLite flatbuffer"
        )
    if zipfile.is_zipfile(io.BytesIO(model)):
        raise ConversionError("TFLite metadata: the file has an archive behind it already; give it before the contract")
    try:
        return _placed(model, name.encode(), content)
    except (struct.error, IndexError) as error:
        raise ConversionError(f"TFLite metadata: the converter's file is damaged ({error}); export again") from error


def _placed(model: bytes, name: bytes, content: bytes) -> bytes:
    fields = _fields(model, _follow(model, 0))
    if any(fields[_FIELDS:]):
        raise ConversionError(
            "TFLite metadata: the model has fields that this segexport does not know; report this network"
        )
    buffers = _tables(model, fields[_BUFFERS])
    if any(_is_behind(model, buffer) for buffer in buffers):
        raise ConversionError(
            "TFLite metadata: the weights lie behind the flatbuffer, as in files over 2 GB; expected less"
        )
    entries = [entry for entry in _tables(model, fields[_METADATA]) if _name(model, entry) != name]
    front = _front(model, fields, buffers, entries, name, content)
    if len(front) + len(model) > LARGEST:
        raise ConversionError(
            f"TFLite metadata: {len(model)} bytes of model, expected at most {LARGEST - len(front)}; use float16 or int8"
        )
    return front + model


def _front(
    model: bytes, fields: list[int], buffers: list[int], entries: list[int], name: bytes, content: bytes
) -> bytes:
    """Root, lists, the new buffer and the new entry; positions of the old parts are counted from its end."""
    metadata_at = _FIRST
    buffers_at = metadata_at + 4 * (len(entries) + 2)
    buffer_at = buffers_at + 4 * (len(buffers) + 2) + 8  # behind its vtable
    entry_at = buffer_at + 8 + 8  # likewise
    name_at = entry_at + 12
    data_at = _aligned(name_at + 4 + len(name) + 1 + 4)
    end = _aligned(data_at + len(content))
    old = [end + position for position in buffers], [end + position for position in entries]
    out = bytearray(end)
    struct.pack_into("<I4s", out, 0, _ROOT, b"TFL3")
    _write_root(out, model, fields, {_METADATA: metadata_at, _BUFFERS: buffers_at})
    _write_list(out, metadata_at, [*old[1], entry_at])
    _write_list(out, buffers_at, [*old[0], buffer_at])
    struct.pack_into("<HHH2xiI", out, buffer_at - 8, 6, 8, 4, 8, data_at - 4 - (buffer_at + 4))
    struct.pack_into("<HHHHiII", out, entry_at - 8, 8, 12, 4, 8, 8, name_at - (entry_at + 4), len(buffers))
    struct.pack_into(f"<I{len(name)}s", out, name_at, len(name), name)
    struct.pack_into(f"<I{len(content)}s", out, data_at - 4, len(content), content)
    return bytes(out)


def _write_root(out: bytearray, model: bytes, fields: list[int], new: dict[int, int]) -> None:
    """The vtable and the table; a field that the old root lacks stays absent."""
    present = [slot in new or bool(fields[slot]) for slot in range(_FIELDS)]
    places = [4 + 4 * slot if there else 0 for slot, there in enumerate(present)]
    struct.pack_into(f"<HH{_FIELDS}H", out, _ROOT - 20, 4 + 2 * _FIELDS, 4 + 4 * _FIELDS, *places)
    struct.pack_into("<i", out, _ROOT, 20)
    for slot, place in enumerate(places):
        if not place:
            continue
        here = _ROOT + place
        if slot == _VERSION:
            value = _number(model, fields[slot])
        else:
            value = (new[slot] if slot in new else len(out) + _follow(model, fields[slot])) - here
        struct.pack_into("<I", out, here, value)


def _write_list(out: bytearray, at: int, tables: list[int]) -> None:
    distances = [table - (at + 4 + 4 * index) for index, table in enumerate(tables)]
    struct.pack_into(f"<I{len(tables)}I", out, at, len(tables), *distances)


def _aligned(at: int) -> int:
    return -(-at // _ALIGNMENT) * _ALIGNMENT


def _number(model: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", model, at)[0])


def _follow(model: bytes, at: int) -> int:
    return at + _number(model, at)


def _fields(model: bytes, table: int) -> list[int]:
    """Where each field of a table lies, 0 for one that is absent; as many as a Model has, or more."""
    vtable = table - int(struct.unpack_from("<i", model, table)[0])
    (length,) = struct.unpack_from("<H", model, vtable)
    offsets = struct.unpack_from(f"<{(length - 4) // 2}H", model, vtable + 4)
    return [table + offset if offset else 0 for offset in offsets] + [0] * (_FIELDS - len(offsets))


def _tables(model: bytes, field: int) -> list[int]:
    """Positions of the tables of a list; none where the field is absent."""
    if not field:
        return []
    start = _follow(model, field) + 4
    distances = struct.unpack_from(f"<{_number(model, start - 4)}I", model, start)
    return [start + 4 * index + distance for index, distance in enumerate(distances)]


def _is_behind(model: bytes, buffer: int) -> bool:
    offset = _fields(model, buffer)[1]
    return bool(offset) and int(struct.unpack_from("<Q", model, offset)[0]) > 1


def _name(model: bytes, entry: int) -> bytes:
    field = _fields(model, entry)[0]
    if not field:
        return b""
    start = _follow(model, field)
    return model[start + 4 : start + 4 + _number(model, start)]
