"""What the options of the accuracy budget refuse, and the hand-made masks that it may count against."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests import messages

from segexport.compare import Runner
from segexport.errors import CalibrationError
from segexport.pictures.truth import read_masks
from segexport.quantize.budget.judge import AGAINST_FLOAT32, AGAINST_MASKS, make_judge


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--max-iou-drop", "1", "--recipe", "r.json"],
            "--max-iou-drop searches for a recipe and --recipe applies one",
        ),
        (["--max-iou-drop", "1", "--precision", "float32"], "--max-iou-drop is about the int8 file; add int8"),
        (["--recipe", "r.json", "--precision", "dynamic"], "--recipe is about the int8 file; add int8"),
        (["--masks", "m"], "--masks is what --max-iou-drop measures against; give --max-iou-drop POINTS too"),
        (["--max-iou-drop", "-1"], "-1"),
        (["--max-iou-drop", "101"], "101"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(
    trained: Any, tmp_path: Path, segexport: Callable[..., Any], words: list[str], message: str
) -> None:
    output = tmp_path / "out"
    ran = segexport("tflite", trained.checkpoint, "--calibration", trained.pictures, "--output", output, *words)
    assert ran.code == 2
    assert message in " ".join(ran.err.split())
    assert not output.exists()


def test_a_recipe_that_is_none_is_refused_before_any_work(
    trained: Any, tmp_path: Path, segexport: Callable[..., Any]
) -> None:
    (tmp_path / "r.json").write_text("{}")
    words = ("--calibration", trained.pictures, "--recipe", tmp_path / "r.json", "--output", tmp_path / "out")
    ran = segexport("tflite", trained.checkpoint, *words)
    assert ran.code == 1
    assert "r.json: no recipe (format is missing)" in ran.refusal
    assert not (tmp_path / "out").exists()


def mask(path: Path, size: tuple[int, int] = (8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[:, size[1] // 2 :] = 255
    cv2.imwrite(str(path), pixels)


def test_masks_are_found_by_name_whatever_the_suffix_and_scaled(tmp_path: Path) -> None:
    mask(tmp_path / "a.png")
    mask(tmp_path / "sub" / "b.bmp", (32, 64))
    found = read_masks(tmp_path, ["a.jpg", "sub/b.png"], (4, 6))
    for one in found:
        assert (one.shape, one.dtype) == ((4, 6), np.bool_)
        np.testing.assert_array_equal(one, np.tile([False] * 3 + [True] * 3, (4, 1)))


def test_gray_from_128_on_is_the_person(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.repeat(np.uint8([[0, 127, 128, 255]]), 4, axis=0))
    (found,) = read_masks(tmp_path, ["a.png"], (4, 4))
    np.testing.assert_array_equal(found[0], [False, False, True, True])


def test_a_picture_without_its_mask_is_named(tmp_path: Path) -> None:
    mask(tmp_path / "a.png")
    with pytest.raises(
        CalibrationError, match=r"no mask for 1 of 2 pictures that measure, first b\.jpg; expected b\.png"
    ):
        read_masks(tmp_path, ["a.jpg", "b.jpg"], (4, 4))


def test_a_folder_of_masks_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="nothing there, expected a folder with one mask for each"):
        read_masks(tmp_path / "no", ["a.jpg"], (4, 4))


def test_a_broken_mask_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(
        CalibrationError, match=rf"a\.png: cannot be read \({messages.CANNOT_BE_DECODED}\); give whole mask pictures"
    ):
        read_masks(tmp_path, ["a.jpg"], (4, 4))


def test_the_base_is_float32s_own_iou_with_the_hand_made_masks(tmp_path: Path) -> None:
    probability = np.zeros((1, 4, 4), np.float32)
    probability[0, :2] = 0.9
    truth = np.zeros((4, 4), np.bool_)
    truth[:3] = True  # float32 finds two of three rows
    frames = [np.zeros((4, 4, 3), np.uint8)]
    runner = Runner(tmp_path, limit_s=60)
    judge = make_judge(frames, probability, [truth], runner)
    assert (judge.base_iou, judge.against) == (pytest.approx(2 / 3), AGAINST_MASKS)
    plain = make_judge(frames, probability, None, runner)
    assert (plain.base_iou, plain.against) == (1.0, AGAINST_FLOAT32)


def test_a_score_counts_what_was_lost_in_points(exported: Any, tmp_path: Path) -> None:
    with np.load(exported.folder / "reference.npz", allow_pickle=False) as stored:
        frames, masks = stored["frames"], stored["masks"]
    with Runner(tmp_path, limit_s=60) as runner:
        judge = make_judge(list(frames), masks, None, runner)
        score = judge.score(exported.path("int8"), lambda _: None)
        exact = judge.score(exported.path("float32"), lambda _: None)
    assert score.iou == pytest.approx(1 - score.drop_points / 100)
    assert 0 < score.drop_points < 5
    assert score.size_bytes == exported.path("int8").stat().st_size
    assert exact.drop_points == pytest.approx(0, abs=0.05)
