"""Where a contract lives: in ONNX's metadata, in TFLite's zip, next to the file, or passed in."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from tests.each_case import each_case
from tests.places import ROOT

import segruntime
from segruntime import Contract, read_contract
from segruntime.errors import ContractError, ModelFileError
from segruntime.model_file.contract import stamp
from segruntime.segmenter import BUNDLED

GOLDEN = (ROOT / "tests" / "runtime" / "golden" / "smallest_contract.json").read_text()
CONTRACT = Contract.from_json(GOLDEN)
FLATBUFFER = b"\x10\x00\x00\x00TFL3" + bytes(range(64))
SUFFIXES = {"tflite": ".tflite", "onnx": ".onnx"}


def length_delimited(number: int, payload: bytes) -> bytes:
    """A protobuf field of bytes shorter than 2 MiB."""
    count = len(payload)
    size = (
        bytes([count])
        if count < 128
        else bytes([count & 127 | 128, count >> 7])
        if count < 16384
        else bytes([count & 127 | 128, count >> 7 & 127 | 128, count >> 14])
    )
    return bytes([number << 3 | 2]) + size + payload


def prop(key: str, value: str) -> bytes:
    return length_delimited(14, length_delimited(1, key.encode()) + length_delimited(2, value.encode()))


ONNX = b"\x08\x0a" + length_delimited(2, b"a test") + length_delimited(7, b"\x12\x01g") + b"\x42\x02\x10\x11"
MODELS = {"tflite": FLATBUFFER, "onnx": ONNX}


@pytest.fixture(params=["tflite", "onnx"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_stamped_contract_is_read_back(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{SUFFIXES[kind]}"
    path.write_bytes(stamp(MODELS[kind], CONTRACT))
    assert read_contract(path) == CONTRACT


def test_the_model_itself_stays_as_it_was(kind: str) -> None:
    assert stamp(MODELS[kind], CONTRACT).startswith(MODELS[kind])


def test_stamping_twice_replaces(kind: str, tmp_path: Path) -> None:
    other = dataclasses.replace(CONTRACT, threshold=0.25)
    path = tmp_path / "a"
    path.write_bytes(stamp(stamp(MODELS[kind], CONTRACT), other))
    assert read_contract(path) == other
    assert path.read_bytes() == stamp(MODELS[kind], other)
    assert path.read_bytes().count(b"threshold") == 1


def test_the_same_contract_gives_the_same_bytes(kind: str) -> None:
    assert stamp(MODELS[kind], CONTRACT) == stamp(MODELS[kind], CONTRACT)


def test_the_bytes_in_an_onnx_file_are_one_metadata_entry() -> None:
    assert stamp(ONNX, CONTRACT) == ONNX + prop("segedge.contract", GOLDEN.rstrip("\n"))


def test_the_bytes_in_a_tflite_file_are_one_stored_file_of_a_zip() -> None:
    name, text = b"segedge.contract.json", GOLDEN.rstrip("\n").encode()
    # version 2.0, no flags, stored, midnight of 1 January 1980, checksum, two sizes, length of the name, no extra field
    facts = struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 33, zlib.crc32(text), len(text), len(text), len(name), 0)
    local = b"PK\x03\x04" + facts + name + text
    # made by Unix; no comment, first disk, no attributes but 0600, and where the file begins
    central = b"PK\x01\x02" + b"\x14\x03" + facts + struct.pack("<HHHII", 0, 0, 0, 0o600 << 16, len(FLATBUFFER)) + name
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(FLATBUFFER) + len(local), 0)
    assert stamp(FLATBUFFER, CONTRACT) == FLATBUFFER + local + central + end


def test_other_files_in_the_zip_are_kept(tmp_path: Path) -> None:
    buffer = io.BytesIO(FLATBUFFER)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.txt", "room\nperson\n" * 50)
        archive.writestr("segedge.contract.json", "an old one")
    path = tmp_path / "a.tflite"
    path.write_bytes(stamp(buffer.getvalue(), CONTRACT))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["labels.txt", "segedge.contract.json"]
        assert archive.read("labels.txt") == b"room\nperson\n" * 50
    assert path.read_bytes().startswith(FLATBUFFER + b"PK\x03\x04")
    assert path.read_bytes().count(b"PK\x03\x04") == 2, "the old archive is gone"
    assert read_contract(path) == CONTRACT


def test_other_metadata_of_an_onnx_file_is_kept(tmp_path: Path) -> None:
    before, after = prop("author", "somebody"), prop("segedge", "not the contract")
    path = tmp_path / "a.onnx"
    path.write_bytes(stamp(ONNX + before + prop("segedge.contract", "an old one") + after, CONTRACT))
    assert path.read_bytes() == ONNX + before + after + prop("segedge.contract", GOLDEN.rstrip("\n"))
    assert read_contract(path) == CONTRACT


def test_a_stamped_file_still_loads_and_still_says_the_same_mask(kind: str, tmp_path: Path) -> None:
    bundled = segruntime.load(BUNDLED[kind])
    path = tmp_path / "copy"
    path.write_bytes(stamp(BUNDLED[kind].read_bytes(), dataclasses.replace(bundled.contract, threshold=0.125)))
    copy = segruntime.load(path)
    assert copy.contract.threshold == 0.125
    assert copy.backend == kind


def test_a_contract_too_large_to_be_read_is_not_written(kind: str) -> None:
    large = dataclasses.replace(
        CONTRACT, output=dataclasses.replace(CONTRACT.output, channels=1024, labels=("x" * 300,) * 1024)
    )
    with pytest.raises(ModelFileError, match=r"segedge\.contract: \d+ bytes, at most 262144 fit"):
        stamp(MODELS[kind], large)


@each_case("model", [b"", b"text", b"\x89PNG\r\n\x1a\n" + bytes(50), bytes(100)])
def test_what_is_no_model_is_not_stamped(model: bytes) -> None:
    with pytest.raises(ModelFileError, match="neither a TFLite flatbuffer"):
        stamp(model, CONTRACT)


def test_a_damaged_onnx_is_not_stamped() -> None:
    with pytest.raises(ModelFileError, match="cut off or damaged"):
        stamp(ONNX[:-6], CONTRACT)


# ── which one counts ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def foreign(kind: str, tmp_path: Path) -> Path:
    """A model that runs and holds no contract of its own: the bundled one without its contract."""
    path = tmp_path / f"foreign{SUFFIXES[kind]}"
    model = BUNDLED[kind].read_bytes()
    if kind == "tflite":
        with zipfile.ZipFile(BUNDLED[kind]) as archive:
            model = model[: min(info.header_offset for info in archive.infolist())]
    else:
        text = read_contract(BUNDLED[kind])
        assert text is not None
        entry = prop("segedge.contract", text.to_text())
        assert entry in model
        model = model.replace(entry, b"")
    path.write_bytes(model)
    return path


def bundled_contract(kind: str, threshold: float) -> Contract:
    contract = read_contract(BUNDLED[kind])
    assert contract is not None
    return dataclasses.replace(contract, threshold=threshold)


def test_passed_in_wins_over_embedded_and_embedded_over_beside(kind: str, foreign: Path) -> None:
    beside = foreign.with_suffix(".contract.json")
    beside.write_text(bundled_contract(kind, 0.1).to_text())
    assert segruntime.load(foreign).contract.threshold == 0.1
    foreign.write_bytes(stamp(foreign.read_bytes(), bundled_contract(kind, 0.2)))
    assert segruntime.load(foreign).contract.threshold == 0.2
    given = bundled_contract(kind, 0.3)
    own = foreign.parent / "own.json"
    own.write_text(given.to_text())
    for form in (given, given.to_json(), own, str(own)):
        assert segruntime.load(foreign, contract=form).contract == given


def test_a_broken_contract_beside_does_not_matter_where_one_is_embedded(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{SUFFIXES[kind]}"
    shutil.copyfile(BUNDLED[kind], path)
    path.with_suffix(".contract.json").write_text("{")
    assert segruntime.load(path).contract == segruntime.load(BUNDLED[kind]).contract


def test_without_any_the_message_shows_one_that_parses(foreign: Path) -> None:
    with pytest.raises(ContractError) as caught:
        segruntime.load(foreign)
    message = str(caught.value)
    assert f"{foreign}: holds no contract, and foreign.contract.json is not next to it" in message
    assert "Write foreign.contract.json like this" in message
    foreign.with_suffix(".contract.json").write_text(message[message.index("{") :])
    assert read_contract(foreign) is not None


@each_case(
    ("text", "says"),
    [
        ("{", "cannot be read as UTF-8 JSON"),
        ("{}", "contract: format is missing"),
        ("", "cannot be read as UTF-8 JSON"),
        ("\ufeff{}", "cannot be read as UTF-8 JSON"),
        ("[]", "contract: .*expected an object"),
        (json.dumps(CONTRACT.to_text()), r"cannot be read as UTF-8 JSON \(it is a text, expected an object"),
    ],
)
def test_a_broken_contract_beside_names_the_file(foreign: Path, text: str, says: str) -> None:
    foreign.with_suffix(".contract.json").write_text(text, encoding="utf-8")
    with pytest.raises(ContractError, match=rf"foreign\.contract\.json: {says}"):
        segruntime.load(foreign)


def test_a_contract_file_that_is_passed_in_and_missing_is_named(foreign: Path) -> None:
    with pytest.raises(ContractError, match=r"nowhere\.json: cannot be read"):
        segruntime.load(foreign, contract="nowhere.json")


def test_a_contract_file_that_is_passed_in_and_wrong_is_named(foreign: Path) -> None:
    own = foreign.parent / "own.json"
    own.write_text(json.dumps({"format": "segedge.contract"}))
    with pytest.raises(ContractError, match=r"own\.json: contract: version is missing"):
        segruntime.load(foreign, contract=own)


@each_case("given", [5, [], [1, 2], b"{}", object()])
def test_a_contract_of_another_kind_is_refused(foreign: Path, given: object) -> None:
    with pytest.raises(ContractError, match="expected an object"):
        segruntime.load(foreign, contract=given)  # type: ignore[arg-type]


def test_a_contract_made_by_hand_is_held_to_the_same_rules(kind: str, foreign: Path) -> None:
    good = bundled_contract(kind, 0.5)
    bad = dataclasses.replace(good, input=dataclasses.replace(good.input, interpolation="cubic"))
    with pytest.raises(
        ContractError, match=r"input\.interpolation is 'cubic', expected one of bilinear, area, nearest"
    ):
        segruntime.load(foreign, contract=bad)


# ── one that contradicts the tensors ──────────────────────────────────────────────────────────────────────────────────


@each_case("part", ["input", "output"])
@each_case("side", ["width", "height"])
def test_an_embedded_contract_of_another_size_is_refused(kind: str, part: str, side: str, tmp_path: Path) -> None:
    good = bundled_contract(kind, 0.5)
    bad = dataclasses.replace(good, **{part: dataclasses.replace(getattr(good, part), **{side: 192})})
    path = tmp_path / "a"
    path.write_bytes(stamp(BUNDLED[kind].read_bytes(), bad))
    with pytest.raises(
        ContractError, match=rf"its {part} is \(1, .*\) .*, the contract says \(1, .*192.*belongs to another model"
    ):
        segruntime.load(path)


@each_case("part", ["input", "output"])
def test_an_embedded_contract_of_another_layout_is_refused(kind: str, part: str, tmp_path: Path) -> None:
    good = bundled_contract(kind, 0.5)
    layout = "NCHW" if good.input.layout == "NHWC" else "NHWC"
    bad = dataclasses.replace(good, **{part: dataclasses.replace(getattr(good, part), layout=layout)})
    path = tmp_path / "a"
    path.write_bytes(stamp(BUNDLED[kind].read_bytes(), bad))
    with pytest.raises(ContractError, match=f"its {part} is .*, the contract says"):
        segruntime.load(path)


@each_case("part", ["input", "output"])
def test_a_contract_of_another_dtype_is_refused(kind: str, part: str) -> None:
    good = bundled_contract(kind, 0.5)
    other = dataclasses.replace(getattr(good, part), dtype="int8", scale=1 / 255, zero_point=-128)
    with pytest.raises(
        ContractError, match=f"its {part} is .*, the contract says .* int8; the contract belongs to another"
    ):
        segruntime.load(BUNDLED[kind], contract=dataclasses.replace(good, **{part: other}))


@each_case("part", ["input", "output"])
@each_case("change", [{"scale": 0.004}, {"zero_point": 1}])
def test_a_contract_with_another_scale_or_zero_point_is_refused(part: str, change: dict[str, float]) -> None:
    good = bundled_contract("tflite", 0.5)
    bad = dataclasses.replace(good, **{part: dataclasses.replace(getattr(good, part), **change)})
    with pytest.raises(ContractError, match=f"its {part} has scale .* and zero point 0, the contract says .*; correct"):
        segruntime.load(BUNDLED["tflite"], contract=bad)
