"""What people may type, and what they are told where it makes no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from segexport.errors import CalibrationError
from segexport.options import (
    Options,
    choose_precisions,
    default_output,
    parse_arguments,
    parse_size,
    parse_triple,
)
from segexport.presets import PREPROCESSING, choose_preprocessing


@pytest.mark.parametrize("name", PREPROCESSING)
def test_a_preset_that_is_named_is_taken_without_a_word(name: str) -> None:
    chosen, assumed = choose_preprocessing(name, None, None)
    assert chosen is PREPROCESSING[name]
    assert chosen.name == name
    assert assumed is None


def test_nothing_named_is_imagenet_and_a_sentence_that_lists_the_others() -> None:
    chosen, assumed = choose_preprocessing(None, None, None)
    assert chosen.name == "imagenet"
    assert assumed is not None
    assert "assuming --preprocess imagenet" in assumed
    assert all(name in assumed for name in PREPROCESSING)


def test_own_mean_and_std_are_taken() -> None:
    chosen, assumed = choose_preprocessing(None, (0.1, 0.2, 0.3), (1.0, 0.5, 0.25))
    assert (chosen.name, chosen.mean, chosen.std, chosen.minmax) == (
        "custom",
        (0.1, 0.2, 0.3),
        (1.0, 0.5, 0.25),
        False,
    )
    assert assumed is None


@pytest.mark.parametrize(
    ("name", "mean", "std", "message"),
    [
        ("unit", (0.5,) * 3, (0.5,) * 3, "^--preprocess unit and --mean/--std exclude each other"),
        ("unit", None, (0.5,) * 3, "^--preprocess unit and --mean/--std exclude each other"),
        (None, (0.5,) * 3, None, "^--mean without --std: give both"),
        (None, None, (0.5,) * 3, "^--std without --mean: give both"),
        (None, (0.0,) * 3, (58.4, 57.1, 57.4), "cannot be known; give --scale 1 or --scale 255"),
        (None, (0.5,) * 3, (0.5, 0.0, 0.5), "numbers above 0"),
        (None, (0.5,) * 3, (0.5, -0.5, 0.5), "numbers above 0"),
    ],
)
def test_mean_and_std_that_make_no_sense_are_refused(
    name: str | None, mean: tuple[float, ...] | None, std: tuple[float, ...] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        choose_preprocessing(name, mean, std)


@pytest.mark.parametrize(
    ("text", "size"), [("256", (256, 256)), ("64x96", (64, 96)), (" 4096X1 ", (4096, 1)), ("1", (1, 1))]
)
def test_size_is_height_then_width(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "256x", "x256", "256x0", "4097", "99999", "999999", "1.5", "64 x 64", "64x64x3", "a"]
)
def test_size_of_another_form_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected N or HxW with sides from 1 to 4096, such as 256 or 256x192"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "values"), [("0.5", (0.5, 0.5, 0.5)), ("0.485,0.456,0.406", (0.485, 0.456, 0.406)), ("0, 0, 0", (0, 0, 0))]
)
def test_one_number_stands_for_three(text: str, values: tuple[float, ...]) -> None:
    assert parse_triple(text) == values


@pytest.mark.parametrize("text", ["", "1,2", "1,2,3,4", "a", "1,,3", "nan", "0,inf,0", "1e400"])
def test_other_than_one_or_three_numbers_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected one number or three separated by commas"):
        parse_triple(text)


def test_default_precisions_are_the_usual_ones_that_can_be_made() -> None:
    assert choose_precisions(None, None) == ("float32", "float16")
    assert choose_precisions(None, Path("pictures")) == ("float32", "float16", "int8")


def test_precisions_keep_their_order_and_stand_once() -> None:
    assert choose_precisions(" int8, float32,int8 ,", Path("pictures")) == ("int8", "float32")


@pytest.mark.parametrize("text", ["float99", "", ",", "float32 float16", "FLOAT32"])
def test_an_unknown_precision_lists_the_known_ones(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"expected some of float32, float16, dynamic, int8, int16x8, separated by commas"
    ):
        choose_precisions(text, None)


def test_int8_without_calibration_says_what_to_add() -> None:
    with pytest.raises(CalibrationError, match=r"--precision int8: .*got none; add --calibration DIR with 32 or more"):
        choose_precisions("float32,int8", None)


def test_output_lies_beside_the_checkpoint_under_its_name() -> None:
    assert default_output(Path("models/best.v2.pth")) == Path("models/best.v2_export")
    assert Options(checkpoint=Path("a/best.v2.pth"), output=Path("b"), precisions=()).name == "best.v2"


@pytest.mark.parametrize(
    ("mean", "std", "scale", "expected", "said"),
    [
        ((0.4,) * 3, (0.2,) * 3, None, (0.4, 0.2), None),
        ((102.0,) * 3, (51.0,) * 3, None, (0.4, 0.2), "for pictures in 0..255, so --std 51,51,51"),
        ((0.4,) * 3, (63.75,) * 3, None, (0.4, 63.75), "taken for pictures in 0..1, as --mean"),
        ((0.4,) * 3, (63.75,) * 3, "1", (0.4, 63.75), None),
        ((0.0,) * 3, (255.0,) * 3, "255", (0.0, 1.0), None),
        ((0.0,) * 3, (1.0,) * 3, "255", (0.0, 1 / 255), None),
    ],
)
def test_mean_and_std_are_taken_as_other_projects_write_them(
    mean: tuple[float, ...],
    std: tuple[float, ...],
    scale: str | None,
    expected: tuple[float, float],
    said: str | None,
) -> None:
    preprocessing, note = choose_preprocessing(None, mean, std, scale)
    assert (preprocessing.mean[0], preprocessing.std[0]) == pytest.approx(expected)
    assert (said in note) if said and note else note is None


def test_a_scale_alone_says_nothing() -> None:
    with pytest.raises(ValueError, match="--scale 255 says what --mean and --std are for"):
        choose_preprocessing("unit", None, None, "255")


def test_arguments_are_numbers_texts_and_lists() -> None:
    texts = ["widths=8,16,norm=batch, bias=false", "rate=0.5", "names=a,b", "nothing=None", "one=[8]", "text='8'"]
    assert parse_arguments(texts) == {
        "widths": [8, 16],
        "norm": "batch",
        "bias": False,
        "rate": 0.5,
        "names": ["a", "b"],
        "nothing": None,
        "one": [8],
        "text": "8",
    }


@pytest.mark.parametrize("texts", [["widths"], ["=3"], ["a b=3"], ["a=1", "a=2"], ["__import__('os')=1"]])
def test_what_is_no_argument_is_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match=r"NAME=VALUE|given twice"):
        parse_arguments(texts)
