"""Model files that are cut off, damaged or made to do harm: each is refused in one line before an interpreter trusts it."""

from __future__ import annotations

import dataclasses
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests import messages
from tests.each_case import each_case
from tests.processor_time import at_most
from tests.refusals import refusal

import segruntime
from segruntime import SegRuntimeError, read_contract
from segruntime.errors import BackendError, ContractError, ModelFileError
from segruntime.model_file.contract import EXAMPLE, stamp
from segruntime.model_file.tflite_check import check_tflite
from segruntime.segmenter import BUNDLED

NAME = "segedge.contract.json"
TFLITE = BUNDLED["tflite"].read_bytes()
ONNX = BUNDLED["onnx"].read_bytes()
FLATBUFFER = b"\x10\x00\x00\x00TFL3" + bytes(64)


def flatbuffer_size() -> int:
    with zipfile.ZipFile(BUNDLED["tflite"]) as archive:
        return min(info.header_offset for info in archive.infolist())


END = flatbuffer_size()
# near both ends, at powers of two, and evenly over the rest
CUTS = sorted(
    {8, 12, 15, 16, 17, 20, 24, 40, 100, END - 1, END - 2, END - 3, END - 4, END - 8, END - 20, END - 100}
    | {2**n for n in range(5, 19)}
    | {int(cut) for cut in np.linspace(200, END - 200, 40)}
)


def refused(path: Path, error: type[Exception] = ModelFileError) -> str:
    said = refusal(error, segruntime.load, path)
    assert str(path) in said
    return said


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    return path


# ── cut off ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_case("cut", CUTS)
def test_a_tflite_cut_anywhere_is_refused_before_the_interpreter_sees_it(cut: int, tmp_path: Path) -> None:
    message = refused(written(tmp_path, TFLITE[:cut]))
    assert "cut off" in message
    assert "copy it again" in message


def test_the_message_says_where_it_should_end_and_where_it_ends(tmp_path: Path) -> None:
    message = refused(written(tmp_path, TFLITE[: END - 1]))
    assert f"{messages.CLAIMS_TO_END} byte {END}, the file ends at {END - 1}; copy it again" in message


@each_case("missing", [1, 2, 10, 21, 22, 23, 60])
def test_a_cut_inside_the_archive_with_the_contract_is_refused(missing: int, tmp_path: Path) -> None:
    message = refused(written(tmp_path, TFLITE[:-missing]))
    assert "cut off: the archive behind the model has no end; copy it again" in message


def test_a_tflite_without_its_archive_is_whole_and_only_lacks_a_contract(tmp_path: Path) -> None:
    assert "holds no contract" in refused(written(tmp_path, TFLITE[:END]), ContractError)


@each_case("cut", [3, 10, 64, 1000, len(ONNX) // 3, len(ONNX) // 2, len(ONNX) - 1000, len(ONNX) - 1])
def test_an_onnx_cut_anywhere_is_refused(cut: int, tmp_path: Path) -> None:
    assert "cut off" in refused(written(tmp_path, ONNX[:cut]), SegRuntimeError)


# ── damaged ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_check_of_a_damaged_tflite_ends_in_a_model_file_error_or_in_peace(tmp_path: Path) -> None:
    """Single bytes changed all over the tables: no other exception, no endless walk, no memory."""
    random = np.random.default_rng(0)
    path = tmp_path / "a.tflite"
    refusals = 0
    for _ in range(400):
        data = bytearray(TFLITE)
        # the tables of this file lie in its first and its last part; the weights between them cannot mislead a walk
        at = int(random.choice([random.integers(0, 3000), random.integers(END - 36_000, END)]))
        data[at] = random.integers(0, 256)
        path.write_bytes(data)
        try:
            check_tflite(path)
        except ModelFileError:
            refusals += 1
    assert 40 < refusals < 400


@each_case("offset", [0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, len(TFLITE), len(TFLITE) - 2, 0, 4])
def test_a_root_that_leads_astray_is_refused(offset: int, tmp_path: Path) -> None:
    refused(written(tmp_path, struct.pack("<I", offset) + TFLITE[4:]))


@each_case("filler", [b"\x00", b"\xff", b"\x01", b"\x7f"])
def test_a_flatbuffer_of_one_byte_repeated_is_refused(filler: bytes, tmp_path: Path) -> None:
    refused(written(tmp_path, b"\x10\x00\x00\x00TFL3" + filler * 4096))


def test_random_bytes_behind_the_identifier_are_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    for _ in range(50):
        refused(written(tmp_path, b"\x20\x00\x00\x00TFL3" + random.bytes(500)))


@each_case(
    ("data", "says"),
    [
        (b"", "found an empty file"),
        (b"\n", "found a file that starts with"),
        (b"TFL3", "found a file that starts with"),
        (b"<!DOCTYPE html>" * 10, "found a file that starts with b'<!DOCTYP'"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "found a file that starts with"),
        (b"\x80\x02}q\x00X\x05\x00\x00\x00", "found a file that starts with"),
        (b"PK\x03\x04" + bytes(100), "found a file that starts with"),
        (b"version https://git-lfs.github.com/spec/v1\n", "found a file that starts with b'version '"),
        (bytes(100), "found a file that starts with"),
    ],
)
def test_what_is_no_model_is_refused_with_what_it_is(data: bytes, says: str, tmp_path: Path) -> None:
    message = refused(written(tmp_path, data))
    assert says in message
    assert "expected a TFLite flatbuffer (TFL3) or an ONNX model; copy or export it again" in message


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "found a folder" in refused(tmp_path)


# ── the archive behind a .tflite ──────────────────────────────────────────────────────────────────────────────────────


def with_archive(entries: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO(FLATBUFFER)
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "a", method) as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return buffer.getvalue()


def patched(data: bytes, marker: bytes, at: int, value: bytes) -> bytes:
    """`value` over the bytes `at` behind the last `marker`."""
    start = data.rindex(marker) + at
    return data[:start] + value + data[start + len(value) :]


TEXT = EXAMPLE.to_text().encode()
STORED = with_archive([(NAME, TEXT)])
DEFLATED = with_archive([(NAME, TEXT)], zipfile.ZIP_DEFLATED)
LZMA = with_archive([(NAME, TEXT)], zipfile.ZIP_LZMA)
BZIP2 = with_archive([(NAME, TEXT)], zipfile.ZIP_BZIP2)
CENTRAL, LOCAL = b"PK\x01\x02", b"PK\x03\x04"
BODY = 30 + len(NAME)  # of a local header


def contract_refused(tmp_path: Path, data: bytes) -> str:
    path = written(tmp_path, data)
    with at_most(2), pytest.raises(ModelFileError) as caught:
        read_contract(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("data", [STORED, DEFLATED, LZMA, BZIP2], ids=["stored", "deflated", "lzma", "bzip2"])
def test_every_way_to_pack_that_a_zip_may_use_is_read(data: bytes, tmp_path: Path) -> None:
    assert read_contract(written(tmp_path, data)) == EXAMPLE


@each_case("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_text_larger_than_256_kib_is_refused_by_its_size(method: int, tmp_path: Path) -> None:
    size = 256 * 1024
    bomb = with_archive([(NAME, b" " * (100 * size))], method)
    assert f"is {100 * size} bytes, at most {size} expected" in contract_refused(tmp_path, bomb)


def test_a_text_of_exactly_256_kib_is_read(tmp_path: Path) -> None:
    padded = TEXT + b" " * (256 * 1024 - len(TEXT))
    assert read_contract(written(tmp_path, with_archive([(NAME, padded)]))) == EXAMPLE
    assert "at most" in contract_refused(tmp_path, with_archive([(NAME, padded + b" ")]))


def test_a_bomb_that_lies_about_its_size_is_not_unpacked(tmp_path: Path) -> None:
    bomb = with_archive([(NAME, b" " * 50_000_000)], zipfile.ZIP_DEFLATED)
    lying = patched(patched(bomb, CENTRAL, 24, struct.pack("<I", 1000)), LOCAL, 22, struct.pack("<I", 1000))
    contract_refused(tmp_path, lying)


@each_case(
    "data",
    {
        "checksum": patched(STORED, LOCAL, BODY + 5, b"\x00"),
        "deflate stream": patched(DEFLATED, LOCAL, BODY, b"\xff" * 20),
        "deflate stream cut off": patched(DEFLATED, CENTRAL, 20, struct.pack("<I", 10)),
        "lzma stream": patched(LZMA, LOCAL, BODY, b"\xff" * 20),
        "lzma stream further on": patched(LZMA, LOCAL, BODY + 30, b"\xff" * 20),
        "bzip2 stream": patched(BZIP2, LOCAL, BODY, b"\xff" * 20),
        "unknown method": patched(STORED, CENTRAL, 10, struct.pack("<H", 99)),
        "encrypted": patched(STORED, CENTRAL, 8, struct.pack("<H", 1)),
        "offset behind the file": patched(STORED, CENTRAL, 42, struct.pack("<I", 0xFFFFFF)),
        "offset at another place": patched(STORED, CENTRAL, 42, struct.pack("<I", 0)),
        "two names": patched(STORED, LOCAL, 30, b"another"),
        "no directory": patched(STORED, CENTRAL, 0, b"PK\x01\x03"),
        "directory larger than the file": patched(STORED, b"PK\x05\x06", 12, struct.pack("<I", 0xFFFFFFF0)),
        "directory behind the file": patched(STORED, b"PK\x05\x06", 16, struct.pack("<I", 0xFFFFFFF0)),
    },
)
def test_a_broken_archive_is_refused(data: bytes, tmp_path: Path) -> None:
    assert "the archive behind the model" in contract_refused(tmp_path, data)


def test_an_archive_whose_64_bit_offset_is_beyond_any_file_is_refused(tmp_path: Path) -> None:
    extra = struct.pack("<HHQ", 1, 8, 2**63 + 5)
    central = STORED[STORED.rindex(CENTRAL) : STORED.rindex(b"PK\x05\x06")]
    central = central[:30] + struct.pack("<H", len(extra)) + central[32:42] + b"\xff" * 4 + central[46:] + extra
    start = STORED.rindex(CENTRAL)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), start, 0)
    contract_refused(tmp_path, STORED[:start] + central + end)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_contracts_in_one_archive_are_refused(tmp_path: Path) -> None:
    other = dataclasses.replace(EXAMPLE, threshold=0.1).to_text().encode()
    message = contract_refused(tmp_path, with_archive([(NAME, TEXT), (NAME, other)]))
    assert f"holds {NAME} 2 times, expected one" in message


def test_an_archive_of_thousands_of_files_is_refused(tmp_path: Path) -> None:
    many = with_archive([(NAME, TEXT), *((str(n), b"") for n in range(3000))])
    assert "lists more than 256 files" in contract_refused(tmp_path, many)


def test_names_that_lead_elsewhere_are_never_written_anywhere(tmp_path: Path) -> None:
    data = with_archive([("../../escape.txt", b"x"), ("/tmp/escape.txt", b"x"), (NAME, TEXT)])  # noqa: S108
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    assert read_contract(written(folder, data)) == EXAMPLE
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["model.bin"]


@each_case("text", [b"\xff\xfe{}", b"\x80", TEXT.replace(b"person", b"p\xe9rson")])
def test_a_text_that_is_not_utf8_is_refused(text: bytes, tmp_path: Path) -> None:
    assert "segedge.contract inside is not UTF-8" in contract_refused(tmp_path, with_archive([(NAME, text)]))
    assert "segedge.contract inside is not UTF-8" in contract_refused(tmp_path, SMALL_ONNX + entry(text))


def test_a_broken_archive_is_not_stamped() -> None:
    with pytest.raises(ModelFileError, match="model: cut off or damaged"):
        stamp(patched(with_archive([("labels.txt", b"a")]), CENTRAL, 10, struct.pack("<H", 99)), EXAMPLE)


# ── protobuf ──────────────────────────────────────────────────────────────────────────────────────────────────────────

SMALL_ONNX = b"\x08\x0a\x12\x01a"


def number(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def entry(text: bytes, key: bytes = b"segedge.contract") -> bytes:
    body = b"\x0a" + number(len(key)) + key + b"\x12" + number(len(text)) + text
    return b"\x72" + number(len(body)) + body


def test_the_small_onnx_is_read_where_it_is_whole(tmp_path: Path) -> None:
    assert read_contract(written(tmp_path, SMALL_ONNX + entry(TEXT))) == EXAMPLE


@each_case(
    ("tail", "says"),
    {
        "a graph of 4 GiB": (b"\x3a\xff\xff\xff\xff\x0f", messages.CLAIMS_TO_END),
        "a graph of 16 EiB": (b"\x3a" + b"\xff" * 9 + b"\x01", messages.CLAIMS_TO_END),
        "a number without an end": (b"\x3a" + b"\xff" * 30, "a number runs past"),
        "a field without a length": (b"\x3a", "a number runs past"),
        "a group": (b"\x3b", "unknown wire type 3"),
        "no wire type": (b"\x3f\x00", "unknown wire type 7"),
        "no field of a model": (b"\xfa\xff\x03\x00", "is no field of a model"),
        "half a double": (b"\x39\x00", messages.CLAIMS_TO_END),
        "a key longer than its entry": (b"\x72\x05\x0a\xff\xff\xff\x7f", messages.CLAIMS_TO_END),
        "an entry cut off": (b"\x72\x02\x0a\xff", "a number runs past"),
    },
)
def test_a_broken_protobuf_is_refused(tail: bytes, says: str, tmp_path: Path) -> None:
    message = contract_refused(tmp_path, SMALL_ONNX + tail)
    assert "the ONNX file is cut off or damaged" in message
    assert says in message


def test_an_onnx_of_millions_of_tiny_fields_is_refused_quickly(tmp_path: Path) -> None:
    message = contract_refused(tmp_path, SMALL_ONNX + b"\x08\x0a" * 5_000_000)
    assert "more than 100000 fields" in message


def test_a_text_larger_than_256_kib_in_an_onnx_is_refused(tmp_path: Path) -> None:
    padded = TEXT + b" " * (256 * 1024 - len(TEXT))
    assert read_contract(written(tmp_path, SMALL_ONNX + entry(padded))) == EXAMPLE
    assert "is 262145 bytes, at most 262144 expected" in contract_refused(tmp_path, SMALL_ONNX + entry(padded + b" "))


def test_two_contracts_in_one_onnx_are_refused(tmp_path: Path) -> None:
    message = contract_refused(tmp_path, SMALL_ONNX + entry(TEXT) + entry(TEXT, b"other") + entry(TEXT))
    assert "holds segedge.contract twice, expected one" in message


@each_case("odd", [b"\x70\x05", b"\x72\x00", b"\x72\x02\x08\x01", b"\x6a\x03\xff\xff\xff"])
def test_odd_metadata_that_is_no_contract_is_passed_over(odd: bytes, tmp_path: Path) -> None:
    assert read_contract(written(tmp_path, SMALL_ONNX + odd)) is None
    assert read_contract(written(tmp_path, SMALL_ONNX + odd + entry(TEXT))) == EXAMPLE


def test_an_entry_without_a_value_is_a_contract_error(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL_ONNX + b"\x72\x12\x0a\x10segedge.contract")
    with pytest.raises(ContractError, match="not JSON"):
        read_contract(path)


def test_damaged_onnx_files_are_refused_by_the_interpreter_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        BackendError, match=r"onnxruntime refuses it \(.*\); .* Copy it again, export it again, or update"
    ):
        segruntime.load(written(tmp_path, SMALL_ONNX + entry(TEXT)))
