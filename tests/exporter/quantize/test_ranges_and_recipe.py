"""What calibration remembers, and the recipe that is written down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segexport.errors import RecipeError
from segexport.quantize.recipe import Recipe, check_layers, load_recipe, save_recipe
from segexport.tflite.ranges import Ranges, halves, load_ranges

RANGES = Ranges(
    names=("image", "a", "logit"),
    low=np.array([[0.1, -1, -30], [0.0, -3, -2]], np.float32),
    high=np.array([[0.6, 2, 4], [0.9, 4, 50]], np.float32),
)


def test_a_range_is_the_mean_of_the_pictures_extremes() -> None:
    low, high = RANGES.mean()
    np.testing.assert_allclose(low, [0.05, -2, -16])
    np.testing.assert_allclose(high, [0.75, 3, 27])


def test_the_mask_is_0_to_255_of_256_whatever_the_pictures_reached() -> None:
    low, high = RANGES.with_mask("logit").mean()
    assert (low[2], high[2]) == (0.0, 255 / 256)
    assert RANGES.with_mask("another") is RANGES


def test_a_tensor_can_take_the_range_of_another_one() -> None:
    same = RANGES.with_same("logit", "a")
    np.testing.assert_array_equal((same.low[:, 2], same.high[:, 2]), (RANGES.low[:, 1], RANGES.high[:, 1]))
    np.testing.assert_array_equal(same.low[:, :2], RANGES.low[:, :2])
    assert (RANGES.lowest("logit"), RANGES.lowest("another")) == (-30.0, float("inf"))


def test_the_image_is_0_to_1_whatever_the_pictures_reached() -> None:
    low, high = RANGES.with_image("image").mean()
    assert (low[0], high[0]) == (0.0, 1.0)
    np.testing.assert_array_equal(RANGES.low[:, 0], np.float32([0.1, 0.0]))  # the original stays as it was


def test_a_limit_clips_every_picture_and_nothing_else() -> None:
    found = RANGES.with_limit("logit", 8.0)
    np.testing.assert_array_equal(found.low[:, 2], [-8, -2])
    np.testing.assert_array_equal(found.high[:, 2], [4, 8])
    np.testing.assert_array_equal(found.low[:, :2], RANGES.low[:, :2])
    assert RANGES.with_limit(None) is RANGES
    assert RANGES.with_limit("not there") is RANGES


def test_some_pictures_alone() -> None:
    np.testing.assert_array_equal(RANGES.of([1]).mean()[0], RANGES.low[1])
    assert len(RANGES.of([0])) == 1


def test_ranges_for_the_child_process_are_the_means(tmp_path: Path) -> None:
    RANGES.save(tmp_path / "r.npz")
    found = load_ranges(tmp_path / "r.npz")
    assert found.names == RANGES.names
    np.testing.assert_array_equal(found.low, RANGES.mean()[0])


def test_halves_share_no_picture_and_miss_none() -> None:
    a, b = halves(7)
    assert sorted(a + b) == list(range(7))
    assert abs(len(a) - len(b)) <= 1


RECIPE = Recipe(logit_limit=8.0, float_layers=("x;y", "z"))


def test_a_recipe_is_read_back_from_its_file_and_from_a_report(tmp_path: Path) -> None:
    save_recipe(tmp_path / "recipe.json", RECIPE)
    (tmp_path / "report.json").write_text(json.dumps({"format": "segedge.report", "recipe": RECIPE.to_json()}))
    assert load_recipe(tmp_path / "recipe.json") == load_recipe(tmp_path / "report.json") == RECIPE


def changed(**fields: Any) -> str:
    return json.dumps({**RECIPE.to_json(), **fields})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no recipe"),
        ("{", "no recipe"),
        ("[]", "the whole is of type list, expected an object"),
        ("null", "expected an object"),
        ('{"recipe": null}', "expected an object"),
        (changed(version=2), "version is 2, expected 1"),
        (changed(format="segedge.report"), "expected 'segedge.recipe'"),
        (changed(more=1), "unknown field more, known: "),
        (changed(float_layers="z"), "float_layers is 'z', expected a list of texts"),
        (changed(float_layers=[1]), "float_layers is [1], expected a list of texts"),
        (changed(float_layers=["x"] * 10_001), "expected at most 10000 names"),
        (changed(logit_limit=-1), "logit_limit is -1"),
        (changed(logit_limit=0), "logit_limit is 0"),
        (changed(logit_limit=True), "logit_limit is True"),
        (changed(precision="int4"), "precision is 'int4', expected one of int8"),
        (changed(ranges="best"), "ranges is 'best', expected one of mean"),
        ("[" * 100_000, "no recipe"),
    ],
)
def test_a_file_that_is_no_recipe_is_one_line(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "give the recipe.json or report.json of an earlier export" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_recipe_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="No such file"):
        load_recipe(tmp_path / "no.json")


def test_a_recipe_of_another_network_is_refused_by_a_name() -> None:
    check_layers(RECIPE, {"x;y", "z", "w"})
    with pytest.raises(RecipeError, match="1 of its 2 layers are not in this network, first 'x;y'"):
        check_layers(RECIPE, {"z"})


def test_a_tensor_that_was_0_on_every_picture_gets_a_range_with_a_width() -> None:
    low = np.array([[0, -2, 0, 1e-3]], np.float32)
    high = np.array([[0, 3, 1e-3, 1e-3]], np.float32)
    least, most = Ranges(names=("still", "b", "c", "d"), low=low, high=high).mean()
    np.testing.assert_array_equal(least, np.array([-1, -2, 0, 1e-3], np.float32))
    np.testing.assert_array_equal(most, np.array([1, 3, 1e-3, 1e-3], np.float32))
