"""Model files from anywhere: read as strictly as the Python runtime reads them, and nothing crashes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from segedge import Native, NativeError, Opening
from tests.each_case import each_case
from tests.native.conftest import MODELS

from segruntime import Contract
from segruntime.errors import ContractError, ModelFileError
from segruntime.model_file.entries import read_text, with_text, without_archive
from segruntime.model_file.tflite_check import check_tflite

MODEL = (MODELS / "mobile_unet_int8.tflite").read_bytes()
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    text = read_text(MODELS / "mobile_unet_int8.tflite", "segedge.contract")
    assert text
    return dict(json.loads(text))


def opened(model: bytes, opening: Opening, contract: str | None = None) -> str:
    """How opening ends: "ok", or the kind of refusal, which is one short line."""
    try:
        Native(model, Opening(opening.core, opening.litert, 1, contract)).close()
    except NativeError as error:
        return error.status if str(error).isprintable() and 20 < len(str(error)) < 600 else f"a bad line: {error}"
    return "ok"


def test_a_model_without_a_contract_is_refused_and_takes_one_that_is_given(
    opening: Opening, contract: dict[str, Any]
) -> None:
    bare = without_archive(MODEL)
    assert opened(bare, opening) == "contract"
    assert opened(bare, opening, json.dumps(contract)) == "ok"


def test_a_contract_of_another_model_is_refused(opening: Opening, contract: dict[str, Any]) -> None:
    for which, field, value in (
        ("input", "width", 255),
        ("input", "layout", "NCHW"),
        ("input", "scale", 0.01),
        ("input", "zero_point", 1),
        ("output", "height", 128),
        ("output", "dtype", "int8"),
    ):
        other = json.loads(json.dumps(contract))
        other[which][field] = value
        assert opened(MODEL, opening, json.dumps(other)) == "contract", (which, field)


def test_files_that_are_something_else_are_refused(opening: Opening, tmp_path: Path) -> None:
    for data in (
        b"",
        b"x",
        b"\0" * 64,
        b"PK\5\6" + b"\0" * 60,
        b"    TFL3" + b"\0" * 8,
        (MODELS / "mobile_unet.onnx").read_bytes(),
    ):
        assert opened(data, opening) in {"file", "contract"}, data[:16]
    with pytest.raises(NativeError, match="cannot be opened"):
        Native(tmp_path, opening)


def test_a_packed_entry_is_read_too_and_one_that_stands_twice_is_refused(
    opening: Opening, contract: dict[str, Any]
) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        for level in (1, 9):
            file = io.BytesIO(without_archive(MODEL))
            with zipfile.ZipFile(file, "a", method, compresslevel=level) as archive:
                archive.writestr("segedge.contract.json", json.dumps(contract))
            assert opened(file.getvalue(), opening) == "ok"
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(file, "a") as archive:
        archive.writestr("segedge.contract.json", json.dumps(contract))
    assert opened(file.getvalue(), opening) == "file"


WORDS = [
    *("", " ", "{", "}", "[]", "nul", "null", "1", '"x"', "{}", '{"format": "segedge.contract"}', '{"a": 1, "a": 2}'),
    *(
        "[" * 65 + "]" * 65,
        "[" * 5000,
        '{"format": NaN}',
        '{"format": Infinity}',
        '{"x": 01}',
        '{"x": 1.}',
        '{"x": .5}',
    ),
    *(
        '{"x": "\t"}',
        '{"x": "\\x"}',
        '{"x": "\\ud800"}',
        '{"x": +1}',
        "{,}",
        '{"x": 1,}',
        "[1,]",
        '{"x" 1}',
        "\ufeff{}",
    ),
]


def test_texts_that_are_no_contract_are_refused(opening: Opening) -> None:
    for text in WORDS:
        assert opened(MODEL, opening, text or " ") == "contract", text[:40]


@each_case(
    "change",
    {
        "version": lambda c: c.update(version=2),
        "version as a float": lambda c: c.update(version=1.0),
        "version as a boolean": lambda c: c.update(version=True),
        "format": lambda c: c.update(format="segedge.other"),
        "unknown field": lambda c: c.update(more=1),
        "unknown field inside": lambda c: c["input"].update(more=1),
        "threshold": lambda c: c.update(threshold=1.5),
        "threshold as a text": lambda c: c.update(threshold="0.5"),
        "input of null": lambda c: c.update(input=None),
        "no output": lambda c: c.pop("output"),
        "width 0": lambda c: c["input"].update(width=0),
        "width 8193": lambda c: c["input"].update(width=8193),
        "width 2^31": lambda c: c["input"].update(width=2**31),
        "width 1e3": lambda c: c["input"].update(width=1e300),
        "layout": lambda c: c["input"].update(layout="HWC"),
        "range": lambda c: c["input"].update(value_range=[1, 0]),
        "range of three": lambda c: c["input"].update(value_range=[0, 1, 2]),
        "range too large": lambda c: c["input"].update(value_range=[0, 1e10]),
        "mean alone": lambda c: c["input"].update(mean=[0, 0, 0]),
        "std 0": lambda c: c["input"].update(mean=[0, 0, 0], std=[1, 1, 0]),
        "scale 0": lambda c: c["input"].update(scale=0),
        "zero point": lambda c: c["input"].update(zero_point=256),
        "labels": lambda c: c["output"].update(labels=["a", "b"]),
        "label of a number": lambda c: c["output"].update(labels=[1]),
        "person": lambda c: c["output"].update(person_channel=1),
        "channels": lambda c: c["output"].update(channels=1025),
        "sha256": lambda c: c["source"].update(sha256="A" * 64),
        "long name": lambda c: c["source"].update(checkpoint="x" * 4097),
        "parameters": lambda c: c["source"].update(parameters=10**13),
        "tools": lambda c: c["conversion"].update(tools={"torch": 2}),
        "recipe": lambda c: c["conversion"].update(recipe=[]),
        "share": lambda c: c["parity"].update(mask_iou=1.1),
        "no pictures": lambda c: c["parity"].update(pictures=0),
        "bound": lambda c: c["parity"].update(within_bound="yes"),
    },
)
def test_a_contract_with_one_thing_wrong_is_refused_as_python_refuses_it(
    change: Change, opening: Opening, contract: dict[str, Any]
) -> None:
    wrong = json.loads(json.dumps(contract))
    change(wrong)
    with pytest.raises(ContractError):
        Contract.from_json(wrong)
    assert opened(MODEL, opening, json.dumps(wrong)) == "contract"


def test_contracts_that_python_takes_are_taken(opening: Opening, contract: dict[str, Any]) -> None:
    for change in (
        lambda c: [c.pop(name) for name in ("source", "conversion", "parity")],
        lambda c: c.update(source=None, conversion=None, parity=None),
        lambda c: c["input"].update(mean=[0.5, 0, 1], std=[1, 2, 3]),
        lambda c: c["input"].update(value_range=[-1, 1e9]),
        lambda c: c["output"].update(labels=[]),
        lambda c: c["source"].update(checkpoint="ä€😀" * 1000),
        lambda c: c["conversion"].update(recipe={"deep": [[[[1e999, "\ud800"]]]], "none": None}),
    ):
        right = json.loads(json.dumps(contract))
        change(right)
        text = json.dumps(right).replace("Infinity", "1e999")
        assert Contract.from_json(text)
        assert opened(MODEL, opening, text) == "ok", text[:200]


VALUES: list[Any] = [
    *(
        None,
        True,
        "",
        "a",
        "float32",
        "int8",
        "classes",
        "logits",
        "bgr",
        "area",
        "float16",
        "\ud800",
        "\x00",
        "ä" * 4097,
    ),
    *(0, 1, -1, 2, 1.0, 0.5, -0.0, 5e-324, 1e-9, 1e9, 1e10, 255, 256, 8192, 8193, 2**31, 2**64, 10**400),
    *([], [0, 1], [1, 0], [0, 0, 0], [1, 1, 1], ["a"], [[]], {}, {"a": "b"}, {"a": 1}, "0" * 64, "A" * 64),
]


def test_every_field_of_a_contract_takes_the_values_that_it_takes_in_python(
    opening: Opening, contract: dict[str, Any]
) -> None:
    read, refused = 0, 0
    places = [(contract, name) for name in contract]
    places += [(part, name) for part in contract.values() if isinstance(part, dict) for name in part]
    for part, name in places:
        kept = part[name]
        for value in VALUES:
            part[name] = value
            text = json.dumps(contract)
            message = refused_contract(text)
            said = ""
            try:
                Native(MODEL, Opening(opening.core, opening.litert, 1, text)).close()
            except NativeError as error:
                said = str(error)
            # one that is read may be another model's, which is said in other words
            assert said.startswith("contract: ") == bool(message), (name, value, said, message)
            read, refused = read + (not message), refused + bool(message)
        part[name] = kept
    assert (read > 100, refused > 1000) == (True, True), (read, refused)


def refused_contract(text: str) -> str:
    """What Python says of it; nothing where it is one."""
    try:
        Contract.from_json(text)
    except ContractError as error:
        return str(error)
    return ""


def test_a_thousand_changed_archives_are_judged_as_python_judges_them(opening: Opening, tmp_path: Path) -> None:
    generator, start = np.random.default_rng(7), len(without_archive(MODEL))
    path = tmp_path / "model.tflite"
    verdicts, stricter = set(), 0
    for _ in range(1000):
        data = bytearray(MODEL)
        # the contract and the directory, not the long golden pictures between them
        for _ in range(generator.choice([1, 1, 2, 8])):
            near, far = generator.integers(start, start + 2100), generator.integers(len(data) - 260, len(data))
            at = int(generator.choice([near, far]))
            flipped = data[at] ^ 1 << int(generator.integers(8))
            data[at] = int(generator.choice([0, 1, 255, flipped, generator.integers(256)]))
        path.write_bytes(data)
        try:
            text = read_text(path, "segedge.contract")
            python = "contract" if text is None else "ok" if Contract.from_json(text) else ""
        except ModelFileError:
            python = "file"
        except ContractError:
            python = "contract"
        found = opened(bytes(data), opening)
        verdicts.add(found)
        assert found != "ok" or python == "ok", (found, python)
        stricter += python == "ok" and found != "ok"
    assert verdicts == {"ok", "file", "contract"}
    assert stricter < 40  # local headers and entries that Python does not look at


def test_every_damaged_flatbuffer_that_python_refuses_is_refused_before_litert_sees_it(
    opening: Opening, contract: dict[str, Any], tmp_path: Path
) -> None:
    generator, size = np.random.default_rng(5), len(without_archive(MODEL))
    path, text, refused = tmp_path / "model.tflite", json.dumps(contract), 0
    for _ in range(600):
        data = bytearray(MODEL)
        for _ in range(8):  # most of its tables lie near the end, the weights between
            places = [generator.integers(8, 2000), generator.integers(size - 60000, size), generator.integers(8, size)]
            data[int(generator.choice(places))] = int(generator.choice([0, 255, 1, 127, generator.integers(256)]))
        path.write_bytes(data)
        try:
            check_tflite(path)
        except ModelFileError:
            refused += 1
            assert opened(bytes(data), opening, text) == "file"
    assert refused > 100


def test_golden_pictures_of_another_model_or_none_are_told(opening: Opening) -> None:
    golden = json.loads(read_text(MODELS / "mobile_unet_int8.tflite", "segedge.golden") or "")
    golden["model_sha256"] = "0" * 64
    altered = Native(with_text(MODEL, "segedge.golden", json.dumps(golden)), opening).self_test()
    assert (altered.same, altered.altered, altered.least_iou) == (0, 1, 1.0)
    text = read_text(MODELS / "mobile_unet_int8.tflite", "segedge.contract")
    assert text
    bare = with_text(without_archive(MODEL), "segedge.contract", text)
    with pytest.raises(NativeError, match="holds no golden pictures"):
        Native(bare, opening).self_test()


def told(model: bytes, opening: Opening) -> str:
    """How the self-test ends."""
    try:
        result = Native(model, opening).self_test()
    except NativeError as error:
        return error.status
    return "same" if result.same else "not the same"


def test_changed_golden_pictures_are_refused_or_told(opening: Opening) -> None:
    generator = np.random.default_rng(3)
    text = read_text(MODELS / "mobile_unet_int8.tflite", "segedge.golden") or ""
    ends = set()
    for _ in range(60):
        at = int(generator.integers(len(text)))
        changed = text[:at] + str(generator.choice(list('A0/+="{}x'))) + text[at + 1 :]
        ends.add(told(with_text(MODEL, "segedge.golden", changed), opening))
    assert "file" in ends
    assert ends <= {"file", "same", "not the same"}
