"""The contract as JSON: what is written is read back, and what is not exactly right is refused by name."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from tests.each_case import each_case
from tests.places import ROOT
from tests.refusals import refusal

from segruntime import Contract
from segruntime.errors import ContractError
from segruntime.model_file.contract import EXAMPLE

GOLDEN = ROOT / "tests" / "runtime" / "golden" / "smallest_contract.json"
SPECIFICATION = ROOT / "docs" / "contract.md"
Place = tuple[str, ...]


def documented() -> dict[str, Any]:
    """The example of the specification, which has every field."""
    block = re.search(r"```json\n(.*?)```", SPECIFICATION.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    data: dict[str, Any] = json.loads(
        re.sub(r'"(sha256|calibration_sha256)": "[^"]*…[^"]*"', r'"\1": "' + "a" * 64 + '"', block[1])
    )
    return data


def smallest() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(GOLDEN.read_text())
    return data


def places(data: dict[str, Any], above: Place = ()) -> Iterator[Place]:
    for key, value in data.items():
        yield (*above, key)
        if isinstance(value, dict) and key != "tools":
            yield from places(value, (*above, key))


def changed(data: dict[str, Any], place: Place, value: object) -> dict[str, Any]:
    data = copy.deepcopy(data)
    part = data
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    return data


def without(data: dict[str, Any], place: Place) -> dict[str, Any]:
    data = copy.deepcopy(data)
    part = data
    for key in place[:-1]:
        part = part[key]
    del part[place[-1]]
    return data


refused = partial(refusal, ContractError, Contract.from_json, starts="contract: ", most=499)


EVERY_PLACE = list(places(documented()))
OPTIONAL = [("source",), ("conversion",), ("parity",)]


def test_the_smallest_contract_is_written_byte_for_byte_as_the_golden_file() -> None:
    golden = GOLDEN.read_text()
    assert Contract.from_json(golden).to_text() + "\n" == golden


def test_the_documented_example_is_read_and_written_back_unchanged() -> None:
    data = documented()
    contract = Contract.from_json(data)
    assert json.loads(contract.to_text()) == data
    assert list(contract.to_json()) == list(data)
    assert Contract.from_json(contract.to_text()) == contract


def test_the_example_that_errors_show_is_a_contract() -> None:
    assert Contract.from_json(json.loads(json.dumps(EXAMPLE.to_json()))) == EXAMPLE


def test_the_values_arrive_in_their_fields() -> None:
    contract = Contract.from_json(documented())
    assert contract.input.shape == (1, 256, 256, 3)
    assert contract.input.value_range == (0.0, 1.0)
    assert (contract.output.scale, contract.output.zero_point) == (0.00390625, 0)
    assert contract.source is not None
    assert contract.source.std == (0.229, 0.224, 0.225)
    assert contract.conversion is not None
    assert contract.conversion.tools == {"torch": "2.13.0", "onnx2tf": "2.6.9"}
    assert contract.parity is not None
    assert contract.parity.boundary_f == 0.999


@each_case(("layout", "shape"), [("NHWC", (1, 3, 5, 7)), ("NCHW", (1, 7, 3, 5))])
def test_the_shape_follows_the_layout(layout: str, shape: tuple[int, ...]) -> None:
    data = smallest()
    data["output"].update(layout=layout, channels=7)
    data["input"].update(layout=layout)
    contract = Contract.from_json(data)
    assert contract.output.shape == shape
    assert contract.input.shape == tuple(3 if side == 7 else side for side in shape)


def test_a_tensor_of_classes_has_one_channel_however_many_classes() -> None:
    data = smallest()
    data["output"].update(meaning="classes", dtype="int64", channels=21, person_channel=15)
    assert Contract.from_json(data).output.shape == (1, 3, 5, 1)


@each_case("place", EVERY_PLACE)
def test_every_field_that_is_missing_is_named(place: Place) -> None:
    data = without(documented(), place)
    if place in OPTIONAL:
        assert getattr(Contract.from_json(data), place[0]) is None
    else:
        assert f"{'.'.join(place)} is missing" in refused(data)


@each_case("place", EVERY_PLACE)
def test_every_field_of_a_wrong_type_is_named(place: Place) -> None:
    value = documented()
    for key in place:
        value = value[key]
    for wrong in ([[]], 0.25, "x" * 5000, {"a": 1}, b"bytes"):
        if type(wrong) is not type(value) or isinstance(wrong, (str, list)):
            assert ".".join(place) in refused(changed(documented(), place, wrong)), wrong


@each_case("place", [place for place in EVERY_PLACE if place not in OPTIONAL])
def test_null_is_not_a_value(place: Place) -> None:
    data = changed(documented(), place, None)
    if place in [("source", "mean"), ("source", "std"), ("conversion", "calibration_sha256")]:
        Contract.from_json(data)  # "none" is a preprocessing, and a float32 file has no calibration
    else:
        assert ".".join(place) in refused(data)


@each_case("where", [(), ("input",), ("output",), ("source",), ("conversion",), ("parity",)])
def test_an_unknown_field_is_refused_with_the_known_ones(where: Place) -> None:
    message = refused(changed(documented(), (*where, "extra"), 1))
    assert f"unknown field {'.'.join((*where, 'extra'))}, known: " in message


@each_case("version", [0, 2, -1, 1.0, "1", True, None, 10**5000])
def test_an_unknown_version_is_refused_with_what_to_do(version: object) -> None:
    message = refused(changed(documented(), ("version",), version))
    assert "version is " in message
    assert "expected 1; correct it (docs/contract.md), or export the file again with this segedge" in message


@each_case("name", ["segedge", "SEGEDGE.CONTRACT", "", 1, "x" * 100_000])
def test_another_format_is_refused(name: object) -> None:
    assert "format is " in refused(changed(documented(), ("format",), name))


WRONG_VALUES: list[tuple[str, object, str]] = [
    *[
        (f"{part}.{side}", value, "a whole number from 1 to 8192")
        for part in ("input", "output")
        for side in ("width", "height")
        for value in (0, -1, 8193, 256.0, "256", True, 10**400)
    ],
    ("input.layout", "nhwc", "one of NHWC, NCHW"),
    ("input.dtype", "float16", "one of float32, int8, uint8"),
    ("input.dtype", "int64", "one of float32, int8, uint8"),
    ("input.color", "RGB", "one of rgb, bgr"),
    ("input.resize", "crop", "one of stretch, letterbox"),
    ("input.interpolation", "cubic", "one of bilinear, area, nearest"),
    ("input.value_range", [1, 0], "low < high"),
    ("input.value_range", [0, 0], "low < high"),
    ("input.value_range", [0], "2 numbers"),
    ("input.value_range", [0, 1, 2], "2 numbers"),
    ("input.value_range", [False, True], "a number"),
    ("input.value_range", [0, float("inf")], "a number"),
    ("input.value_range", [float("nan"), 1], "a number"),
    ("input.value_range", [-1e308, 1e308], "a number from"),
    ("input.scale", 0, "a number from"),
    ("input.scale", -1.0, "a number from"),
    ("input.scale", 1e-300, "a number from"),
    ("input.scale", 10**5000, "a number"),
    ("input.scale", True, "a number"),
    ("input.zero_point", -1, "a whole number from 0 to 255"),
    ("input.zero_point", 256, "a whole number from 0 to 255"),
    ("input.zero_point", 0.0, "a whole number"),
    ("output.dtype", "int32", "one of float32, int8, uint8"),
    ("output.meaning", "alpha", "one of probability, logits, classes"),
    ("output.channels", 0, "a whole number from 1 to 1024"),
    ("output.channels", 1025, "a whole number from 1 to 1024"),
    ("output.person_channel", 1, ", expected 0;"),
    ("output.person_channel", -1, ", expected 0;"),
    ("output.labels", ["a", "b"], "expected 1 or none"),
    ("output.labels", [1], "a list of texts"),
    ("output.labels", "p", "a list of texts"),
    ("threshold", -0.01, "a number from 0 to 1"),
    ("threshold", 1.01, "a number from 0 to 1"),
    ("threshold", float("nan"), "a number from 0 to 1"),
    ("threshold", True, "a number from 0 to 1"),
    ("source.sha256", "a" * 63, "64 hexadecimal digits"),
    ("source.sha256", "A" * 64, "64 hexadecimal digits"),
    ("source.sha256", "a" * 64 + "\n", "64 hexadecimal digits"),
    ("source.parameters", -1, "a whole number from 0"),
    ("source.checkpoint", "x" * 4097, "at most 4096 characters"),
    ("source.mean", [0.1, 0.2], "3 numbers"),
    ("conversion.calibration_count", -1, "a whole number from 0"),
    ("conversion.tools", {"torch": 2}, "an object of texts"),
    ("conversion.tools", {2: "torch"}, "an object of texts"),
    ("conversion.float_layers", [None], "a list of texts"),
    ("parity.pictures", 0, "a whole number from 1"),
    ("parity.mask_iou", 1.5, "a number from 0 to 1"),
    ("parity.max_difference", float("nan"), "a number from 0 to 1"),
    ("parity.within_bound", 1, "true or false"),
]


@each_case(("field", "value", "expected"), WRONG_VALUES)
def test_a_value_that_cannot_be_is_refused_with_what_was_expected(field: str, value: object, expected: str) -> None:
    message = refused(changed(documented(), tuple(field.split(".")), value))
    assert field in message
    assert expected in message


@each_case(
    ("mean", "std"),
    [
        ([0.5] * 3, None),
        (None, [0.5] * 3),
        ([0.5] * 3, [0.5, 0, 0.5]),
        ([0.5] * 3, [0.5, -1, 0.5]),
        ([0.5] * 3, [1e-300] * 3),
    ],
)
def test_mean_and_std_come_together_with_std_above_zero(mean: object, std: object) -> None:
    data = smallest()
    data["input"].update({key: value for key, value in (("mean", mean), ("std", std)) if value is not None})
    assert "input.std is " in refused(data)
    assert "expected mean and std, both or none, std at least 1e-09" in refused(data)


def test_mean_and_std_are_kept() -> None:
    data = smallest()
    data["input"].update(mean=[0.1, 0.2, 0.3], std=[1, 2, 3])
    contract = Contract.from_json(data)
    assert (contract.input.mean, contract.input.std) == ((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
    assert Contract.from_json(contract.to_text()) == contract


@each_case("part", ["input", "output"])
def test_scale_and_zero_point_are_needed_for_integers_and_unknown_for_floats(part: str) -> None:
    quantized = {"dtype": "uint8", "scale": 0.25, "zero_point": 255}
    data = smallest()
    data[part].update(quantized)
    assert getattr(Contract.from_json(data), part).zero_point == 255
    assert f"{part}.scale is missing" in refused(without(data, (part, "scale")))
    assert f"{part}.zero_point is missing" in refused(without(data, (part, "zero_point")))
    assert "from 0 to 255" in refused(changed(data, (part, "zero_point"), -1))
    assert f"unknown field {part}.scale" in refused(changed(data, (part, "dtype"), "float32"))


def test_classes_are_integers_without_a_scale() -> None:
    data = smallest()
    data["output"].update(meaning="classes", dtype="int32", channels=2, person_channel=1, labels=["room", "person"])
    assert Contract.from_json(data).output.labels == ("room", "person")
    assert "output.dtype" in refused(changed(data, ("output", "dtype"), "float32"))
    assert "unknown field output.scale" in refused(changed(data, ("output", "scale"), 0.5))


@each_case("data", [None, [], 5, "5", "[]", "null", '"text"', b"{}"])
def test_what_is_no_object_is_refused(data: object) -> None:
    assert "expected an object" in refused(data)
