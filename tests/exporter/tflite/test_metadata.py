"""TFLite's own metadata in every .tflite: what it says, where it lies, what it leaves alone; MediaPipe reads it elsewhere."""

from __future__ import annotations

import hashlib
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from tests.processor_time import at_most

from segexport.errors import ConversionError
from segexport.stamp.seal import seal, with_metadata
from segexport.tflite.metadata import ENTRY, image_normalization, labels_text, model_metadata
from segexport.tflite.metadata_place import place_metadata
from segruntime import load, read_contract
from segruntime.errors import ModelFileError
from segruntime.model_file.contract import EXAMPLE, Contract, stamp
from segruntime.model_file.entries import model_sha256, with_attachment, without_archive
from segruntime.model_file.golden import read_golden, with_golden
from segruntime.model_file.tflite_check import check_tflite

PRECISIONS = ("float32", "float16", "int8")


@pytest.fixture(params=PRECISIONS)
def path(request: pytest.FixtureRequest, exported: Any) -> Path:
    found: Path = exported.path(request.param)
    return found


@pytest.fixture
def bare(exported: Any) -> bytes:
    """A float32 file as the converter wrote it: what stands behind the root that was put in front."""
    whole = without_archive(exported.path("float32").read_bytes())
    at = whole.index(b"TFL3", 8)
    return whole[at - 4 :]


def content(model: bytes) -> bytes:
    """The metadata, read with the schema of LiteRT."""
    found = schema.Model.GetRootAs(model, 0)
    entries = [found.Metadata(k) for k in range(found.MetadataLength())]
    (buffer,) = [entry.Buffer() for entry in entries if entry.Name() == ENTRY.encode()]
    return bytes(found.Buffers(buffer).DataAsNumpy())


def table(data: bytes, at: int) -> flatbuffers.table.Table:
    return flatbuffers.table.Table(bytearray(data), at)


def root(data: bytes) -> flatbuffers.table.Table:
    return table(data, struct.unpack_from("<I", data)[0])


def child(parent: flatbuffers.table.Table, *slots: int) -> flatbuffers.table.Table:
    """By field number; of a vector the first entry (a slot below 0)."""
    for slot in slots:
        offset = parent.Offset(4 + 2 * abs(slot))
        assert offset, f"no field {slot}"
        at = parent.Indirect(parent.Vector(offset)) if slot < 0 else parent.Indirect(parent.Pos + offset)
        parent = flatbuffers.table.Table(parent.Bytes, at)
    return parent


def text(parent: flatbuffers.table.Table, slot: int) -> str:
    return str(parent.String(parent.Pos + parent.Offset(4 + 2 * slot)).decode())


def floats(parent: flatbuffers.table.Table, slot: int) -> tuple[float, ...]:
    offset = parent.Offset(4 + 2 * slot)
    return struct.unpack_from(f"<{parent.VectorLen(offset)}f", parent.Bytes, parent.Vector(offset))


IMAGE, MASK = (-3, -2), (-3, -3)
FILE, UNIT, CUSTOM = (-6,), (-4, 1), (-3, -9)


def test_every_file_carries_metadata_with_the_schemas_identifiers(path: Path) -> None:
    metadata = content(path.read_bytes())
    assert metadata[4:8] == b"M001"
    custom = child(root(metadata), *CUSTOM)
    assert text(custom, 0) == "SEGMENTER_METADATA"
    offset = custom.Offset(6)
    inner = custom.Vector(offset)
    assert bytes(custom.Bytes[inner + 4 : inner + 8]) == b"V001"
    options = table(bytes(custom.Bytes), inner + struct.unpack_from("<I", custom.Bytes, inner)[0])
    assert options.Offset(4) == 0, "activation is not the default, NONE"


def test_it_says_how_a_byte_becomes_the_tensors_value(path: Path) -> None:
    contract = read_contract(path)
    assert contract is not None
    unit = child(root(content(path.read_bytes())), *IMAGE, *UNIT)
    mean, std = floats(unit, 0)[0], floats(unit, 1)[0]
    spec = contract.input
    preprocessed = load(path).preprocess(np.full((spec.height, spec.width, 3), 100, np.uint8))
    value = float(preprocessed.ravel()[0])
    if spec.dtype not in ("float32", "uint8"):
        value = (value - (spec.zero_point or 0)) * (spec.scale or 0)
    assert (100 - mean) / std == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(("dtype", "expected"), [("float32", (0, 255)), ("uint8", (0, 1)), ("int16", (0, 255))])
def test_normalisation_follows_the_tensors_type(dtype: Any, expected: tuple[float, float]) -> None:
    assert image_normalization(replace(EXAMPLE.input, dtype=dtype)) == expected


def test_names_version_and_parser_version_are_there(exported: Any) -> None:
    path = exported.path("float32")
    whole, contract = root(content(path.read_bytes())), read_contract(path)
    assert contract is not None
    assert contract.source is not None
    assert text(whole, 0) == path.stem
    assert "float32" in text(whole, 1)
    assert contract.source.sha256.startswith(text(whole, 2))
    assert len(text(whole, 2)) == 12
    assert text(whole, 7) == "1.5.0"


def test_the_labels_lie_in_the_same_archive_uncompressed_beside_contract_and_golden_pictures(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist()[:1] == ["labels.txt"]
        assert set(archive.namelist()) == {"labels.txt", "segedge.contract.json", "segedge.golden.json"}
        assert archive.read("labels.txt") == b"person\n"
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
    assert text(child(root(content(path.read_bytes())), *MASK, *FILE), 0) == "labels.txt"


def test_the_labels_survive_another_contract_and_other_golden_pictures(exported: Any, tmp_path: Path) -> None:
    path = exported.path("float32")
    golden, contract = read_golden(path), read_contract(path)
    assert golden is not None
    assert contract is not None
    again = tmp_path / "again.tflite"
    again.write_bytes(with_golden(stamp(path.read_bytes(), contract), golden.pictures))
    with zipfile.ZipFile(again) as archive:
        assert archive.read("labels.txt") == b"person\n"


def test_the_golden_pictures_digest_covers_the_metadata(path: Path) -> None:
    golden = read_golden(path)
    assert golden is not None
    assert golden.model_sha256 == model_sha256(path.read_bytes())
    changed = without_archive(path.read_bytes()).replace(b"M001", b"M002")
    assert model_sha256(changed) != golden.model_sha256


def test_a_file_is_sealed_at_once_with_or_without_golden_pictures(bare: bytes, exported: Any, tmp_path: Path) -> None:
    """Into what the converter wrote goes all that the exported file carries; the report has its size and digest."""
    path, row = exported.path("float32"), exported.row("float32")
    contract, golden = read_contract(path), read_golden(path)
    assert contract is not None
    assert golden is not None
    sealed = tmp_path / path.name
    sealed.write_bytes(bare)
    assert seal(sealed, contract, golden.pictures) == (row["size_bytes"], row["sha256"])
    assert sealed.read_bytes() == path.read_bytes()
    sealed.write_bytes(bare)
    size, digest = seal(sealed, contract, ())
    assert (size, digest) == (sealed.stat().st_size, hashlib.sha256(sealed.read_bytes()).hexdigest())
    assert (read_contract(sealed), read_golden(sealed)) == (contract, None)


def test_not_a_byte_of_the_converters_file_changes_and_its_alignment_stays(bare: bytes) -> None:
    placed = place_metadata(bare, ENTRY, b"x" * 100)
    assert placed.endswith(bare)
    assert (len(placed) - len(bare)) % 16 == 0
    assert content(placed) == b"x" * 100
    found = schema.Model.GetRootAs(placed, 0)
    last = found.Buffers(found.BuffersLength() - 1)
    assert last._tab.Vector(last._tab.Offset(4)) % 16 == 0


def test_other_metadata_and_everything_else_of_the_model_stays_listed(bare: bytes) -> None:
    first = place_metadata(bare, "OTHER", b"other")
    second = place_metadata(first, ENTRY, b"ours")
    before, after = (schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0)) for data in (bare, second))
    names = [entry.name for entry in before.metadata or []]
    assert [entry.name for entry in after.metadata] == [*names, b"OTHER", ENTRY.encode()]
    assert bytes(after.buffers[-2].data) == b"other"
    assert after.description == before.description
    assert after.version == before.version
    assert [code.builtinCode for code in after.operatorCodes] == [code.builtinCode for code in before.operatorCodes]
    assert len(after.signatureDefs) == len(before.signatureDefs) == 1
    for one, two in zip(before.buffers, after.buffers, strict=False):
        assert np.array_equal(one.data, two.data)


def test_an_older_entry_of_the_same_name_is_no_longer_listed(bare: bytes) -> None:
    assert content(place_metadata(place_metadata(bare, ENTRY, b"older"), ENTRY, b"newer")) == b"newer"


@pytest.mark.parametrize("length", range(1, 34, 8))
def test_the_model_gives_the_same_bits_and_passes_the_runtimes_check(bare: bytes, length: int, tmp_path: Path) -> None:
    path = tmp_path / "placed.tflite"
    path.write_bytes(place_metadata(bare, ENTRY, b"y" * length))
    check_tflite(path)
    answers = []
    for data in (bare, path.read_bytes()):
        engine = Interpreter(model_content=data)
        engine.allocate_tensors()
        image = engine.get_input_details()[0]
        engine.set_tensor(image["index"], np.random.default_rng(1).random(image["shape"], np.float32))
        engine.invoke()
        answers.append(engine.get_tensor(engine.get_output_details()[0]["index"]))
    assert np.array_equal(*answers)


def test_the_same_export_gives_the_same_bytes_and_again_only_one_entry(exported: Any) -> None:
    path = exported.path("float32")
    contract = read_contract(path)
    assert contract is not None
    once, again = (with_metadata(path.read_bytes(), "name", contract) for _ in range(2))
    assert once == again
    assert content(with_metadata(once, "name", contract)) == content(once)


def test_a_model_of_a_hundred_megabytes_takes_less_than_a_second(bare: bytes) -> None:
    large = bare + bytes(118_000_000)
    with at_most(1):
        place_metadata(large, ENTRY, b"x" * 1000)


def test_two_channels_have_two_labels(tmp_path: Path) -> None:
    output = replace(EXAMPLE.output, channels=2, person_channel=1, labels=("background", "person"))
    assert labels_text(output) == "background\nperson\n"
    said = model_metadata(Contract(input=EXAMPLE.input, output=output), "n", "d", "v")
    assert "background, person" in text(child(root(said), *MASK), 1)


def broken(bare: bytes) -> Iterator[tuple[bytes, str]]:
    yield b"PK\x03\x04" + bare, "expected a TFLite flatbuffer"
    yield bare[:200], "damaged"
    yield struct.pack("<I", 2**31) + bare[4:], "damaged"


def test_what_is_no_whole_flatbuffer_is_refused_in_a_line(bare: bytes, exported: Any) -> None:
    for data, reason in broken(bare):
        with pytest.raises(ConversionError, match=reason):
            place_metadata(data, ENTRY, b"")
    with pytest.raises(ConversionError, match="archive behind it already"):
        place_metadata(exported.path("float32").read_bytes(), ENTRY, b"")


def test_weights_behind_the_flatbuffer_are_refused(bare: bytes) -> None:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bare, 0))
    model.buffers[-1].offset, model.buffers[-1].size = 4096, 16
    builder = flatbuffers.Builder(len(bare))
    builder.Finish(model.Pack(builder), b"TFL3")
    with pytest.raises(ConversionError, match="over 2 GB"):
        place_metadata(bytes(builder.Output()), ENTRY, b"")


def test_a_file_that_would_pass_two_gigabytes_is_refused(bare: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segexport.tflite.metadata_place.LARGEST", len(bare) + 100)
    with pytest.raises(ConversionError, match="use float16 or int8"):
        place_metadata(bare, ENTRY, b"x" * 101)


def test_a_file_goes_into_a_tflite_only_and_only_a_small_one(bare: bytes, exported: Any) -> None:
    for data, text in ((exported.path("onnx").read_bytes(), "person"), (bare, "x" * (256 * 1024 + 1))):
        with pytest.raises(ModelFileError, match=r"labels\.txt: got \d+ bytes .* expected at most 262144"):
            with_attachment(data, "labels.txt", text)
