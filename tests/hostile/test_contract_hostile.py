"""Texts and objects that are made to break the reading of a contract: each is one ContractError, quickly, in one line."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import messages
from tests.each_case import each_case
from tests.processor_time import at_most
from tests.refusals import refusal

from segruntime import Contract
from segruntime.errors import ContractError
from segruntime.model_file.contract import EXAMPLE, load_contract
from segruntime.preprocess import Preprocessor

GOOD = EXAMPLE.to_text()


def refused(data: object) -> str:
    with at_most(2):
        return refusal(ContractError, Contract.from_json, data, starts="contract: ", most=499)


@each_case("constant", ["NaN", "Infinity", "-Infinity"])
def test_constants_that_json_does_not_have_are_refused(constant: str) -> None:
    assert f"{constant} {messages.NO_NUMBER_HERE}" in refused(GOOD.replace("0.5", constant))


@each_case("number", ["1e999", "-1e999", "1" * 400, "1" * 5000, "-" + "9" * 100_000, "1" * 400 + ".5"])
@each_case("place", ['"threshold": 0.5', '"width": 256', '"version": 1'])
def test_numbers_beyond_all_bounds_are_refused(number: str, place: str) -> None:
    field = place.split(":")[0]
    refused(GOOD.replace(place, f"{field}: {number}", 1))


@each_case("opening", ["[", '{"a":', '{"input":', '[{"a":'])
@each_case("depth", [200, 900, 100_000])
def test_nesting_without_end_is_refused(opening: str, depth: int) -> None:
    refused(opening * depth)


@each_case("depth", [100, 300, 600, 900, 950, 990, 2000])
@each_case("place", ['"threshold": 0.5', '"version": 1', '"format": "segedge.contract"', '"color": "rgb"'])
def test_a_value_nested_deeper_than_it_can_be_printed_is_refused(depth: int, place: str) -> None:
    refused(GOOD.replace(place, place.split(":")[0] + ": " + "[" * depth + "]" * depth))


@each_case("field", ["color", "width", "value_range"])
def test_an_object_nested_deeper_than_it_can_be_printed_is_refused(field: str) -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    data = json.loads(GOOD)
    data["input"][field] = nested
    assert f"input.{field} is [[[[...]]]], expected" in refused(data)


@each_case(
    "text",
    [
        "",
        " ",
        "{",
        "}",
        "{}",
        "null",
        "true",
        "1",
        '"a"',
        "[]",
        "{'format': 1}",
        "\ufeff" + GOOD,
        GOOD + "x",
        GOOD[:-1],
        "\x00",
    ],
)
def test_what_is_not_a_json_object_is_refused(text: str) -> None:
    refused(text)


@each_case("field", ['"version": 1', '"width": 256', '"threshold": 0.5', '"color": "rgb"'])
def test_a_field_that_stands_twice_is_refused(field: str) -> None:
    name = field.split(":")[0].strip('"')
    assert f"'{name}' stands twice" in refused(GOOD.replace(field, f"{field}, {field}", 1))


@each_case("name", ["x" * 100_000, "two\nlines", "\x1b[31mred", "\ud800", "", "​", "input.width"])
def test_the_name_of_an_unknown_field_is_shown_on_one_harmless_line(name: str) -> None:
    data = json.loads(GOOD)
    data["input"][name] = 1
    assert "unknown field input." in refused(json.dumps(data))


@each_case("value", ["x" * 200_000, "two\nlines", "\x1b[2J", "\ud800", "\u202e"])
@each_case("field", ["color", "layout", "dtype"])
def test_a_value_is_shown_on_one_harmless_line(field: str, value: str) -> None:
    data = json.loads(GOOD)
    data["input"][field] = value
    assert f"input.{field} is " in refused(json.dumps(data))


@each_case("key", [1, None, (1, 2), b"x"])
def test_keys_that_json_does_not_have_are_refused(key: Any) -> None:
    refused({**json.loads(GOOD), key: 1})


def test_a_hundred_thousand_unknown_fields_are_refused_quickly() -> None:
    refused(json.dumps({**json.loads(GOOD), **{str(n): n for n in range(100_000)}}))


@each_case("side", [-1, 0, 2**31, 2**63, -(2**63), 10**30])
def test_no_tensor_of_an_impossible_size_is_ever_allocated(side: int) -> None:
    for part in ("input", "output"):
        data = json.loads(GOOD)
        data[part]["width"] = side
        assert f"{part}.width" in refused(data)


@each_case("part", ["input", "output", "source", "conversion", "parity"])
@each_case("value", [[], "x", 1, True, [[]]])
def test_a_part_that_is_no_object_is_refused(part: str, value: object) -> None:
    data = json.loads(GOOD)
    data[part] = value
    assert f"contract: {part} is " in refused(data)


def test_reading_changes_nothing_in_what_was_given() -> None:
    data = json.loads(GOOD)
    before = copy.deepcopy(data)
    Contract.from_json(data)
    assert data == before


@each_case(
    "facts",
    [
        {"value_range": [-1e9, 1e9]},
        {"value_range": [0, 1e-9]},
        {"mean": [1e9] * 3, "std": [1e-9] * 3},
        {"dtype": "int8", "scale": 1e-12, "zero_point": 127},
        {"dtype": "uint8", "scale": 1e6, "zero_point": 255, "mean": [-1e9] * 3, "std": [1e-9] * 3},
    ],
)
def test_the_wildest_numbers_that_are_allowed_still_make_finite_tensors(facts: dict[str, Any]) -> None:
    data = json.loads(GOOD)
    data["input"].update({"width": 4, "height": 4, **facts})
    tensor = Preprocessor(Contract.from_json(data).input)(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    assert np.isfinite(tensor).all()


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_contract_file_larger_than_256_kib_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.contract.json"
    path.write_text(GOOD + " " * (256 * 1024 - len(GOOD)))
    assert load_contract(path) == EXAMPLE
    path.write_text(GOOD + " " * (256 * 1024 - len(GOOD) + 1))
    with pytest.raises(ContractError, match=r"a\.contract\.json: .*larger than 262144 bytes"):
        load_contract(path)


@each_case("data", [b"\xff\xfe{\x00}\x00", b"\x80", GOOD.encode("utf-16")])
def test_a_contract_file_that_is_not_utf8_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.contract.json"
    path.write_bytes(data)
    with pytest.raises(ContractError, match=r"a\.contract\.json: cannot be read as UTF-8 JSON"):
        load_contract(path)


def test_a_folder_in_place_of_a_contract_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="cannot be read"):
        load_contract(tmp_path)
