"""Is a .tflite whole? Its flatbuffer is walked with every offset and count checked against the size of the file.

LiteRT trusts a file: one that is cut off is accepted until a node fails, or reads memory that is not its own. Field numbers are
those of TensorFlow Lite's `schema.fbs`; nothing is copied, so the check takes about a millisecond for any size of weights.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence
from math import prod
from pathlib import Path

from segruntime.errors import ModelFileError

_SMALLEST = 16  # root offset, identifier, and a table with a vtable
_MAX_RANK = 8
_MAX_ELEMENTS = 2**31
_TYPES = 32  # TensorType has 22 values now
_OPTIONAL = -1
_ZERO_POINTS = {3: (0, 255), 9: (-128, 127), 7: (-32768, 32767)}  # of uint8, int8 and int16
_HANDLES = (13, 14)  # resource and variant: no operator needs to have written them
_NUMBERS = {code: struct.Struct(f"<{code}") for code in "BIQ"}
_BUDGET = 4  # bytes that are read for each byte of the file; a whole model names each of its parts about once
_ARCHIVE_END_SIZE = 22  # of the record that ends a zip, without its comment


def check_tflite(path: Path) -> None:
    """Refuse a .tflite that is cut off or damaged, before an interpreter touches it.

    Raises:
        ModelFileError: a part of it lies outside the file, or names a part that does not exist.
    """
    size = path.stat().st_size
    if size < _SMALLEST:
        raise ModelFileError(f"{path}: cut off: {size} bytes are no TFLite model; copy it again")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        flat = _Flatbuffer(data, path)
        _check_model(flat)
        _check_archive(flat)


def _check_model(flat: _Flatbuffer) -> None:
    model = flat.table(flat.follow(0, "the root"), "the model")
    buffers = [_check_buffer(flat, table) for table in flat.tables(model, 4, "buffer")]
    codes = flat.tables(model, 1, "operator code")
    for table in codes:
        flat.vector(table, 1, 1, "an operator's name")
    subgraphs = flat.tables(model, 2, "subgraph")
    counts = [_check_subgraph(flat, table, buffers, len(codes)) for table in subgraphs]
    if not subgraphs or not buffers:
        flat.damaged(f"it has {len(subgraphs)} subgraphs and {len(buffers)} buffers")
    for table in flat.tables(model, 6, "metadata"):
        flat.vector(table, 0, 1, "a metadata's name")
        flat.index(flat.number(table, 1, "I"), len(buffers), "a metadata", "buffer")
    for table in flat.tables(model, 7, "signature"):
        _check_signature(flat, table, counts)


def _check_buffer(flat: _Flatbuffer, buffer: _Table) -> int:
    """The number of bytes that it holds."""
    _, inside = flat.vector(buffer, 0, 1, "a buffer's data")
    start, length = flat.number(buffer, 1, "Q"), flat.number(buffer, 2, "Q")
    if start > 1:  # 0 and 1 stand for "not stored behind the flatbuffer"
        flat.within(start, length, "a buffer behind the flatbuffer")
    return max(inside, length)


def _check_subgraph(flat: _Flatbuffer, subgraph: _Table, buffers: Sequence[int], codes: int) -> int:
    tensors = flat.tables(subgraph, 0, "tensor")
    written = [_check_tensor(flat, tensor, number, buffers) for number, tensor in enumerate(tensors)]
    flat.vector(subgraph, 4, 1, "a subgraph's name")
    for index in flat.indices(subgraph, 1, len(tensors), "the subgraph's inputs", lowest=0):
        written[index] = True
    for number, operator in enumerate(flat.tables(subgraph, 3, "operator")):
        _check_operator(flat, operator, number, written, codes)
    for index in flat.indices(subgraph, 2, len(tensors), "the subgraph's outputs", lowest=0):
        if not written[index]:
            flat.damaged(f"nothing writes its output, tensor {index}")
    return len(tensors)


def _check_operator(flat: _Flatbuffer, operator: _Table, number: int, written: list[bool], codes: int) -> None:
    """Operators stand in the order in which they run: what one reads is a constant, an input, or was written before."""
    flat.index(flat.number(operator, 0, "I"), codes, f"operator {number}", "operator code")
    for index in flat.indices(operator, 1, len(written), f"operator {number}'s inputs", lowest=_OPTIONAL):
        if index != _OPTIONAL and not written[index]:
            flat.damaged(f"operator {number} reads tensor {index}, which nothing has written")
    flat.indices(operator, 8, len(written), f"operator {number}'s intermediates", lowest=_OPTIONAL)
    for index in flat.indices(operator, 2, len(written), f"operator {number}'s outputs", lowest=_OPTIONAL):
        if index != _OPTIONAL:
            written[index] = True
    for field in (4, 12):
        flat.child(operator, field, "an operator's options")
    flat.vector(operator, 5, 1, "an operator's own options")
    start, length = flat.number(operator, 9, "Q"), flat.number(operator, 10, "Q")
    if start > 1:
        flat.within(start, length, "an operator's options behind the flatbuffer")


def _check_tensor(flat: _Flatbuffer, tensor: _Table, number: int, buffers: Sequence[int]) -> bool:
    """Does it hold values before anything has run?"""
    buffer, kind = flat.number(tensor, 2, "I"), flat.number(tensor, 1, "B")
    flat.index(buffer, len(buffers), f"tensor {number}", "buffer")
    flat.index(kind, _TYPES, f"tensor {number}", "type")
    flat.text(tensor, 3, f"tensor {number}'s name")
    shape = flat.integers(tensor, 0, f"tensor {number}'s shape", most=_MAX_RANK)
    signature = flat.integers(tensor, 7, f"tensor {number}'s shape", most=_MAX_RANK)
    if min(shape, default=0) < 0 or min(signature, default=0) < -1 or prod(shape) > _MAX_ELEMENTS:
        flat.damaged(f"tensor {number} has the shape {shape}")
    quantization = flat.child(tensor, 4, "a tensor's quantization")
    if quantization is not None:
        _check_quantization(flat, quantization, number, kind)
    flat.child(tensor, 6, "a tensor's sparsity")
    variable = flat.number(tensor, 5, "B") != 0
    return variable or kind in _HANDLES or buffers[buffer] > 0 or prod(shape) == 0


def _check_quantization(flat: _Flatbuffer, quantization: _Table, number: int, kind: int) -> None:
    for field in (0, 1, 2):
        flat.vector(quantization, field, 4, "a tensor's quantization")
    flat.child(quantization, 5, "a tensor's quantization")
    start, count = flat.vector(quantization, 3, 8, "a tensor's quantization")
    if not count or kind not in _ZERO_POINTS:
        return
    low, high = _ZERO_POINTS[kind]
    flat.spend(8 * count)
    zero_points = struct.unpack_from(f"<{count}q", flat.data, start)
    if min(zero_points) < low or max(zero_points) > high:
        flat.damaged(f"tensor {number} has zero points from {min(zero_points)} to {max(zero_points)}")


def _check_signature(flat: _Flatbuffer, signature: _Table, tensor_counts: Sequence[int]) -> None:
    subgraph = flat.number(signature, 4, "I")
    flat.index(subgraph, len(tensor_counts), "a signature", "subgraph")
    flat.vector(signature, 2, 1, "a signature's name")
    for field in (0, 1):
        for entry in flat.tables(signature, field, "signature entry"):
            flat.vector(entry, 0, 1, "a signature entry's name")
            flat.index(flat.number(entry, 1, "I"), tensor_counts[subgraph], "a signature", "tensor")


def _check_archive(flat: _Flatbuffer) -> None:
    """The zip behind the flatbuffer, if it begins, must end: the contract is in it."""
    data = flat.data
    if data.find(b"PK\x03\x04", flat.end) < 0:
        return
    at = data.rfind(b"PK\x05\x06", flat.end)
    if at >= 0 and at + _ARCHIVE_END_SIZE <= flat.size:
        comment = struct.unpack_from("<H", data, at + 20)[0]
        if at + _ARCHIVE_END_SIZE + comment <= flat.size:
            return
    raise ModelFileError(f"{flat.path}: cut off: the archive behind the model has no end; copy it again")


class _Table:
    """Where a table's fields lie; 0 for one that is absent."""

    __slots__ = ("at", "fields", "size")

    def __init__(self, at: int, size: int, fields: tuple[int, ...]) -> None:
        self.at = at
        self.size = size
        self.fields = fields


class _Flatbuffer:
    """Reads tables, vectors and numbers; what lies outside the file is refused. `end` grows to where the last part ends."""

    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self.data = data
        self.path = path
        self.size = len(data)
        self.end = 0
        self._left = _BUDGET * self.size
        self._vtables: dict[int, tuple[int, tuple[int, ...]]] = {}

    def within(self, start: int, length: int, what: str) -> None:
        if start + length > self.size or start < 0:
            raise ModelFileError(
                f"{self.path}: cut off or damaged: {what} claims to end at byte {start + length}, "
                f"the file ends at {self.size}; copy it again"
            )
        if start + length > self.end:
            self.end = start + length

    def spend(self, count: int) -> None:
        """Refuses a file that names the same parts over and over, which would be walked for hours."""
        self._left -= count
        if self._left < 0:
            self.damaged("it names the same parts over and over")

    def damaged(self, what: str) -> None:
        raise ModelFileError(f"{self.path}: damaged: {what}; copy it again, or export it again with segexport")

    def follow(self, at: int, what: str) -> int:
        """The position that the 32-bit offset at `at` leads to."""
        self.within(at, 4, what)
        return at + int(struct.unpack_from("<I", self.data, at)[0])

    def table(self, at: int, what: str) -> _Table:
        self.within(at, 4, what)
        vtable = at - struct.unpack_from("<i", self.data, at)[0]
        known = self._vtables.get(vtable)
        if known is None:
            known = self._vtables[vtable] = self._vtable(vtable, what)
        size, fields = known
        self.spend(8 + 2 * len(fields))
        self.within(at, size, what)
        return _Table(at, size, fields)

    def _vtable(self, at: int, what: str) -> tuple[int, tuple[int, ...]]:
        self.within(at, 4, what)
        length, size = struct.unpack_from("<HH", self.data, at)
        self.within(at, length, what)
        fields = struct.unpack_from(f"<{max(0, length - 4) // 2}H", self.data, at + 4)
        if length < 4 or size < 4 or any(field and not 4 <= field < size for field in fields):
            self.damaged(f"{what} at byte {at} lists a field outside itself")
        return size, fields

    def _field(self, table: _Table, number: int, length: int, what: str) -> int:
        """Where a field of `length` bytes lies; 0 if it is absent."""
        offset = table.fields[number] if number < len(table.fields) else 0
        if offset and offset + length > table.size:
            self.damaged(f"{what} lies half outside its table")
        return table.at + offset if offset else 0

    def number(self, table: _Table, number: int, code: str) -> int:
        layout = _NUMBERS[code]
        at = self._field(table, number, layout.size, "a number")
        return int(layout.unpack_from(self.data, at)[0]) if at else 0

    def child(self, table: _Table, number: int, what: str) -> _Table | None:
        at = self._field(table, number, 4, what)
        return self.table(self.follow(at, what), what) if at else None

    def vector(self, table: _Table, number: int, width: int, what: str) -> tuple[int, int]:
        """Start and count of a vector of elements of `width` bytes; `(0, 0)` if it is absent."""
        at = self._field(table, number, 4, what)
        if not at:
            return 0, 0
        start = self.follow(at, what)
        self.within(start, 4, what)
        count = int(struct.unpack_from("<I", self.data, start)[0])
        self.within(start + 4, count * width, what)
        return start + 4, count

    def tables(self, table: _Table, number: int, what: str) -> list[_Table]:
        start, count = self.vector(table, number, 4, f"the list of {what}s")
        self.spend(4 * count)
        offsets = struct.unpack_from(f"<{count}I", self.data, start)
        return [self.table(start + 4 * i + offset, what) for i, offset in enumerate(offsets)]

    def integers(self, table: _Table, number: int, what: str, most: int) -> list[int]:
        start, count = self.vector(table, number, 4, what)
        if count > most:
            self.damaged(f"{what} has {count} entries")
        self.spend(4 * count)
        return list(struct.unpack_from(f"<{count}i", self.data, start))

    def indices(self, table: _Table, number: int, tensors: int, what: str, lowest: int) -> tuple[int, ...]:
        start, count = self.vector(table, number, 4, what)
        self.spend(4 * count)
        found = struct.unpack_from(f"<{count}i", self.data, start)
        for index in found:
            if not lowest <= index < tensors:
                self.damaged(f"{what} name tensor {index} of {tensors}")
        return found

    def text(self, table: _Table, number: int, what: str) -> None:
        start, length = self.vector(table, number, 1, what)
        self.spend(length)
        try:
            self.data[start : start + length].decode("utf-8")
        except UnicodeDecodeError:
            self.damaged(f"{what} is not UTF-8")

    def index(self, index: int, count: int, who: str, what: str) -> None:
        if index >= count:
            self.damaged(f"{who} names {what} {index} of {count}")
