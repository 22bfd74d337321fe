"""The check of a .tflite accepts what is whole: every good file, an archive behind it, weights behind the flatbuffer."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest
from tests import messages
from tests.each_case import each_case
from tests.places import SHARED
from tests.processor_time import at_most
from tests.refusals import refusal

from segruntime.errors import ModelFileError
from segruntime.model_file.tflite_check import check_tflite
from segruntime.segmenter import BUNDLED

MODELS = SHARED / "models"
FOREIGN = ["mnv3_float.tflite", "mnv3_uint8.tflite", "selfie_256.tflite"]


class Flat:
    """A flatbuffer, written by hand: a table is a vtable followed by its fields, an offset counts from where it stands."""

    def __init__(self) -> None:
        self.data = bytearray(b"\x00\x00\x00\x00TFL3")

    def table(self, fields: dict[int, tuple[str, int]]) -> tuple[int, dict[int, int]]:
        """Append a table; where it is, and where each of its fields is."""
        places, size = {}, 4
        for number, (code, _) in fields.items():
            places[number] = size
            size += struct.calcsize(f"<{code}")
        count = max(fields) + 1 if fields else 0
        vtable = len(self.data)
        self.data += struct.pack("<HH", 4 + 2 * count, size)
        self.data += struct.pack(f"<{count}H", *(places.get(n, 0) for n in range(count)))
        at = len(self.data)
        self.data += struct.pack("<i", at - vtable)
        for code, value in fields.values():
            self.data += struct.pack(f"<{code}", value)
        return at, {number: at + place for number, place in places.items()}

    def vector(self, code: str, values: list[int]) -> int:
        at = len(self.data)
        self.data += struct.pack(f"<I{len(values)}{code}", len(values), *values)
        return at

    def tables(self, positions: list[int]) -> int:
        at = len(self.data)
        values = [position - (at + 4 + 4 * i) & 0xFFFFFFFF for i, position in enumerate(positions)]
        return self.vector("I", values)

    def point(self, field: int, target: int) -> None:
        struct.pack_into("<I", self.data, field, target - field)


def small_model(
    *,
    offset: int = 0,
    size: int = 0,
    size_code: str = "Q",
    buffer: int = 0,
    kind: int = 0,
    name: bytes = b"t",
    shape: tuple[int, ...] = (1, 2),
    zero_points: tuple[int, ...] = (),
    inputs: tuple[int, ...] = (0,),
    operators: tuple[tuple[int, int], ...] = ((0, 1),),
) -> bytes:
    """Three tensors of one kind, the first one the input, the second one the output; operators `(reads, writes)`."""
    flat = Flat()
    model, fields = flat.table({0: ("I", 3), 1: ("I", 0), 2: ("I", 0), 4: ("I", 0)})
    flat.point(0, model)
    # offsets are never negative, so a list of tables stands before its tables: places first, filled in afterwards
    lists = {field: flat.vector("I", [0]) for field in (1, 2, 4)}
    for field, at in lists.items():
        flat.point(fields[field], at)
    flat.point(lists[1] + 4, flat.table({0: ("B", 0)})[0])
    subgraph, parts = flat.table({0: ("I", 0), 1: ("I", 0), 2: ("I", 0), 3: ("I", 0)})
    flat.point(lists[2] + 4, subgraph)
    tensors, nodes = flat.vector("I", [0] * 3), flat.vector("I", [0] * len(operators))
    flat.point(parts[0], tensors)
    flat.point(parts[1], flat.vector("i", list(inputs)))
    flat.point(parts[2], flat.vector("i", [1]))
    flat.point(parts[3], nodes)
    for number in range(3):
        tensor, facts = flat.table({0: ("I", 0), 1: ("B", kind), 2: ("I", buffer), 3: ("I", 0), 4: ("I", 0)})
        flat.point(tensors + 4 + 4 * number, tensor)
        flat.point(facts[0], flat.vector("i", list(shape)))
        flat.point(facts[3], flat.vector("B", list(name)))
        quantization, places = flat.table({3: ("I", 0)})
        flat.point(facts[4], quantization)
        flat.point(places[3], flat.vector("q", list(zero_points)))
    for number, (reads, writes) in enumerate(operators):
        node, facts = flat.table({0: ("I", 0), 1: ("I", 0), 2: ("I", 0)})
        flat.point(nodes + 4 + 4 * number, node)
        flat.point(facts[1], flat.vector("i", [reads]))
        flat.point(facts[2], flat.vector("i", [writes]))
    flat.point(lists[4] + 4, flat.table({1: ("Q", offset), 2: (size_code, size)})[0])
    return bytes(flat.data)


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "a.tflite"
    path.write_bytes(data)
    return path


def test_the_bundled_file_is_accepted_within_milliseconds() -> None:
    check_tflite(BUNDLED["tflite"])
    with at_most(10 * 0.05):  # ten times what it should take, for a slow machine
        for _ in range(10):
            check_tflite(BUNDLED["tflite"])


@pytest.mark.skipif(not MODELS.is_dir(), reason="the models that others made are not next to this checkout")
@each_case("name", FOREIGN)
def test_files_that_others_made_are_accepted(name: str) -> None:
    check_tflite(MODELS / name)


@each_case(
    "data",
    [
        small_model(),
        small_model(operators=((0, 2), (2, 1))),
        small_model(operators=((-1, 1),)),
        small_model(inputs=(0, 1), operators=()),
        small_model(kind=9, zero_points=(-128, 127)),
        small_model(kind=3, zero_points=(0, 255)),
        small_model(kind=2, zero_points=(2**40,)),
        small_model(shape=()),
        small_model(shape=(0, 3), operators=()),
        small_model(kind=13, operators=()),
    ],
)
def test_small_models_are_accepted(data: bytes, tmp_path: Path) -> None:
    check_tflite(written(tmp_path, data))


@each_case("field", [1, 3, 20, 0xFFFF])
def test_a_field_that_lies_outside_its_table_is_refused(field: int, tmp_path: Path) -> None:
    """The model's own vtable stands at byte 8: two sizes, then where each field lies; the table has 4 fields, 20 bytes."""
    data = bytearray(small_model())
    for number in range(5):
        (place,) = struct.unpack_from("<H", data, 12 + 2 * number)
        assert place in (0, 4, 8, 12, 16)
    struct.pack_into("<H", data, 12, field)
    with pytest.raises(ModelFileError, match="damaged: the model at byte 8 lists a field outside itself"):
        check_tflite(written(tmp_path, bytes(data)))


def test_weights_behind_the_flatbuffer_are_accepted_to_their_last_byte(tmp_path: Path) -> None:
    at = len(small_model())
    whole = small_model(offset=at, size=100) + bytes(100)
    check_tflite(written(tmp_path, whole))
    with pytest.raises(
        ModelFileError,
        match=f"a buffer behind the flatbuffer {messages.CLAIMS_TO_END} byte {at + 100}, the file ends at {at + 99}",
    ):
        check_tflite(written(tmp_path, whole[:-1]))


@each_case("size", [2**63, 2**64 - 1])
def test_a_size_near_the_end_of_64_bits_does_not_wrap_round(size: int, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=f"{messages.CLAIMS_TO_END} byte {size + 64}"):
        check_tflite(written(tmp_path, small_model(offset=64, size=size)))


@each_case(
    ("data", "says"),
    [
        (small_model(buffer=1), "damaged: tensor 0 names buffer 1 of 1"),
        (small_model(shape=(1, -5)), r"damaged: tensor 0 has the shape \[1, -5\]"),
        (small_model(shape=(65536, 65536)), r"damaged: tensor 0 has the shape \[65536, 65536\]"),
        (small_model(shape=(1,) * 9), "damaged: tensor 0's shape has 9 entries"),
        (small_model(inputs=(3,)), "damaged: the subgraph's inputs name tensor 3 of 3"),
        (small_model(inputs=(-1,)), "damaged: the subgraph's inputs name tensor -1 of 3"),
        (small_model(operators=()), "damaged: nothing writes its output, tensor 1"),
        (small_model(operators=((2, 1),)), "damaged: operator 0 reads tensor 2, which nothing has written"),
        (small_model(operators=((0, 2), (1, 1))), "damaged: operator 1 reads tensor 1, which nothing has written"),
        (small_model(operators=((3, 1),)), "damaged: operator 0's inputs name tensor 3 of 3"),
        (small_model(operators=((0, -2),)), "damaged: operator 0's outputs name tensor -2 of 3"),
        (small_model(kind=9, zero_points=(0, 128)), "damaged: tensor 0 has zero points from 0 to 128"),
        (small_model(kind=9, zero_points=(-129,)), "damaged: tensor 0 has zero points from -129 to -129"),
        (small_model(kind=3, zero_points=(-1, 0)), "damaged: tensor 0 has zero points from -1 to 0"),
        (small_model(kind=77), "damaged: tensor 0 names type 77 of 32"),
        (small_model(name=b"\xff"), "damaged: tensor 0's name is not UTF-8"),
        (small_model(size_code="B"), "damaged: a number lies half outside its table"),
    ],
)
def test_parts_that_name_what_does_not_exist_are_refused(data: bytes, says: str, tmp_path: Path) -> None:
    assert refusal(ModelFileError, check_tflite, written(tmp_path, data), match=says).endswith(
        "; copy it again, or export it again with segexport"
    )


def test_a_list_that_claims_billions_of_entries_is_refused_at_once(tmp_path: Path) -> None:
    data = bytearray(small_model())
    (model,) = struct.unpack_from("<I", data, 0)
    field = model + 4 + 4 * 3  # buffers are the fourth field that was written
    (offset,) = struct.unpack_from("<I", data, field)
    struct.pack_into("<I", data, field + offset, 0xFFFFFFFF)
    says = re.escape(f"cut off or damaged: the list of buffers {messages.CLAIMS_TO_END} byte")
    with at_most(1), pytest.raises(ModelFileError, match=says):
        check_tflite(written(tmp_path, bytes(data)))


def test_a_small_file_that_names_the_same_parts_over_and_over_is_refused_at_once(tmp_path: Path) -> None:
    """Of 1,000 subgraphs, which are one and the same, of 1,000 tensors, likewise: a million to look at in 9 kB."""
    flat, count = Flat(), 1000
    model, fields = flat.table({2: ("I", 0), 4: ("I", 0)})
    flat.point(0, model)
    subgraphs, buffers = flat.vector("I", [0] * count), flat.vector("I", [0])
    for field, at in ((2, subgraphs), (4, buffers)):
        flat.point(fields[field], at)
    subgraph, parts = flat.table({0: ("I", 0)})
    tensors = flat.vector("I", [0] * count)
    flat.point(parts[0], tensors)
    tensor, buffer = flat.table({})[0], flat.table({})[0]
    for k in range(count):
        flat.point(subgraphs + 4 + 4 * k, subgraph)
        flat.point(tensors + 4 + 4 * k, tensor)
    flat.point(buffers + 4, buffer)
    with at_most(1):
        refusal(
            ModelFileError,
            check_tflite,
            written(tmp_path, bytes(flat.data)),
            match="names the same parts over and over",
        )
