"""What people may type, and what they are told where it makes no sense."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.each_case import each_case

from segexport.errors import CalibrationError
from segexport.options import Options, choose_precisions, default_output, parse_arguments, parse_size, parse_triple
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
    assert (chosen.name, chosen.mean, chosen.std) == ("custom", (0.1, 0.2, 0.3), (1.0, 0.5, 0.25))
    assert (chosen.minmax, assumed) == (False, None)


@each_case(
    ("words", "message"),
    [
        (("unit", (0.5,) * 3, (0.5,) * 3), "^--preprocess unit and --mean/--std exclude each other"),
        (("unit", None, (0.5,) * 3), "^--preprocess unit and --mean/--std exclude each other"),
        ((None, (0.5,) * 3, None), "^--mean without --std: give both"),
        ((None, None, (0.5,) * 3), "^--std without --mean: give both"),
        ((None, (0.0,) * 3, (58.4, 57.1, 57.4)), "cannot be known; give --scale 1 or --scale 255"),
        ((None, (0.5,) * 3, (0.5, 0.0, 0.5)), "numbers above 0"),
        ((None, (0.5,) * 3, (0.5, -0.5, 0.5)), "numbers above 0"),
        (("unit", None, None, "255"), "--scale 255 says what --mean and --std are for"),
    ],
)
def test_mean_and_std_that_make_no_sense_are_refused(words: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose_preprocessing(*words)


def test_size_is_height_then_width_and_one_number_stands_for_three() -> None:
    sizes = {"256": (256, 256), "64x96": (64, 96), " 4096X1 ": (4096, 1), "1": (1, 1)}
    assert {text: parse_size(text) for text in sizes} == sizes
    triples = {"0.5": (0.5, 0.5, 0.5), "0.485,0.456,0.406": (0.485, 0.456, 0.406), "0, 0, 0": (0, 0, 0)}
    assert {text: parse_triple(text) for text in triples} == triples


SIZE = r"expected N or HxW with sides from 1 to 4096, such as 256 or 256x192"
PRECISIONS = r"expected some of float32, float16, dynamic, int8, int16x8, separated by commas"


@each_case(
    ("parse", "texts", "message"),
    [
        (
            parse_size,
            ["", "0", "-1", "256x", "x256", "256x0", "4097", "99999", "999999", "1.5", "64 x 64", "64x64x3", "a"],
            SIZE,
        ),
        (
            parse_triple,
            ["", "1,2", "1,2,3,4", "a", "1,,3", "nan", "0,inf,0", "1e400"],
            "expected one number or three separated by commas",
        ),
        (partial(choose_precisions, calibration=None), ["float99", "", ",", "float32 float16", "FLOAT32"], PRECISIONS),
        (
            parse_arguments,
            [["widths"], ["=3"], ["a b=3"], ["a=1", "a=2"], ["__import__('os')=1"]],
            r"NAME=VALUE|given twice",
        ),
    ],
)
def test_text_of_another_form_is_refused_with_what_was_expected(
    parse: Callable[[Any], object], texts: list[Any], message: str
) -> None:
    for text in texts:
        with pytest.raises(ValueError, match=message):
            pytest.fail(f"{text!r} became {parse(text)!r}")


def test_default_precisions_are_the_usual_ones_that_can_be_made() -> None:
    assert choose_precisions(None, None) == ("float32", "float16")
    assert choose_precisions(None, Path("pictures")) == ("float32", "float16", "int8")


def test_precisions_keep_their_order_and_stand_once() -> None:
    assert choose_precisions(" int8, float32,int8 ,", Path("pictures")) == ("int8", "float32")


def test_int8_without_calibration_says_what_to_add() -> None:
    with pytest.raises(CalibrationError, match=r"--precision int8: .*got none; add --calibration DIR with 32 or more"):
        choose_precisions("float32,int8", None)


def test_output_lies_beside_the_checkpoint_under_its_name() -> None:
    assert default_output(Path("models/best.v2.pth")) == Path("models/best.v2_export")
    assert Options(checkpoint=Path("a/best.v2.pth"), output=Path("b"), precisions=()).name == "best.v2"


@each_case(
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
    mean: tuple[float, ...], std: tuple[float, ...], scale: str | None, expected: tuple[float, float], said: str | None
) -> None:
    preprocessing, note = choose_preprocessing(None, mean, std, scale)
    assert (preprocessing.mean[0], preprocessing.std[0]) == pytest.approx(expected)
    assert (said in note) if said and note else note is None


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
