"""The calibration folder: what is used, what is left out and said, which half measures."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests import messages
from tests.refusals import refusal

from segexport.errors import CalibrationError
from segexport.pictures.calibration import calibration_tensor, collect_pictures
from segexport.pictures.doctor import ENOUGH
from segexport.pictures.files import draw_pictures


def fill(folder: Path, count: int, suffix: str = ".png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, picture in enumerate(draw_pictures(count, size=48, seed=count)):
        cv2.imwrite(str(folder / f"{index:03}{suffix}"), picture)
    return folder


def flat(path: Path, value: int = 90) -> None:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.full((40, 40, 3), value, np.uint8))


def test_without_a_folder_pictures_are_drawn_to_measure_on() -> None:
    found = collect_pictures(None)
    assert (found.calibrate, found.sha256, found.warnings) == ((), None, ())
    assert len(found.measure) == len(found.measure_names) == 8
    assert found.source == "drawn by segexport"


def test_halves_are_disjoint_and_together_everything(tmp_path: Path) -> None:
    fill(tmp_path, 33)
    found = collect_pictures(tmp_path)
    calibrate, measure = ({p.tobytes() for p in half} for half in (found.calibrate, found.measure))
    assert (len(calibrate), len(measure)) == (17, 16)
    assert not calibrate & measure
    assert calibrate | measure == {cv2.imread(str(p)).tobytes() for p in tmp_path.iterdir()}
    assert found.measure_names == tuple(f"{k:03}.png" for k in range(1, 33, 2))
    assert found.warnings == ()


def test_digest_is_of_the_calibrating_files_in_their_order(tmp_path: Path) -> None:
    fill(tmp_path, 4)
    each = "".join(hashlib.sha256((tmp_path / f"{k:03}.png").read_bytes()).hexdigest() for k in (0, 2))
    assert collect_pictures(tmp_path).sha256 == hashlib.sha256(each.encode()).hexdigest()


def test_pictures_at_the_networks_size_are_as_the_runtime_would_resize_them(tmp_path: Path) -> None:
    fill(tmp_path, 6)
    as_they_are, small = collect_pictures(tmp_path), collect_pictures(tmp_path, size=(20, 31))
    assert {picture.shape for picture in (*small.calibrate, *small.measure)} == {(20, 31, 3)}
    np.testing.assert_array_equal(
        calibration_tensor(as_they_are.calibrate, 20, 31), calibration_tensor(small.calibrate, 20, 31)
    )


def test_calibration_tensor_is_rgb_in_0_to_1(tmp_path: Path) -> None:
    blue = np.zeros((10, 10, 3), np.uint8)
    blue[..., 0] = 255
    tensor = calibration_tensor([blue, 255 - blue], 4, 6)
    assert (tensor.shape, tensor.dtype) == ((2, 4, 6, 3), np.float32)
    np.testing.assert_array_equal(tensor[0, 0, 0], [0, 0, 1])
    np.testing.assert_array_equal(tensor[1, 3, 5], [1, 1, 0])


@pytest.mark.parametrize("count", [2, ENOUGH - 1])
def test_few_pictures_are_said(tmp_path: Path, count: int) -> None:
    fill(tmp_path, count)
    (warning,) = collect_pictures(tmp_path).warnings
    assert f"{tmp_path}: {count} usable pictures, 32 or more are better" in warning


def test_32_pictures_are_enough(tmp_path: Path) -> None:
    assert collect_pictures(fill(tmp_path, ENOUGH)).warnings == ()


def test_one_picture_calibrates_and_drawn_ones_measure(tmp_path: Path) -> None:
    found = collect_pictures(fill(tmp_path, 1))
    assert (len(found.calibrate), len(found.measure)) == (1, 8)
    assert found.source == "drawn by segexport"


def test_a_corrupt_picture_among_good_ones_is_named(tmp_path: Path) -> None:
    fill(tmp_path, 34, ".jpg")
    data = (tmp_path / "007.jpg").read_bytes()
    (tmp_path / "007.jpg").write_bytes(data[: len(data) // 2])
    found = collect_pictures(tmp_path)
    (warning,) = found.warnings
    assert warning == f"{tmp_path}: 1 of 34 pictures cannot be read and are left out: 007.jpg (JPEG cut off)"
    assert len(found.calibrate) + len(found.measure) == 33
    assert "007.jpg" not in found.measure_names


def test_only_broken_pictures_are_refused_by_name(tmp_path: Path) -> None:
    for k in range(7):
        (tmp_path / f"{k}.jpg").write_bytes(b"no picture")
    said = refusal(CalibrationError, collect_pictures, tmp_path)
    assert said.startswith(f"{tmp_path}: none of its 7 pictures can be read: 0.jpg ({messages.CANNOT_BE_DECODED}), ")
    assert said.endswith(" and 2 more; give a folder of whole pictures")


def test_duplicates_are_left_out_so_that_no_half_knows_the_other(tmp_path: Path) -> None:
    fill(tmp_path, 40)
    (tmp_path / "zz.png").write_bytes((tmp_path / "003.png").read_bytes())
    found = collect_pictures(tmp_path)
    assert found.warnings == (f"{tmp_path}: 1 duplicates left out: zz.png = 003.png",)
    assert len(found.calibrate) + len(found.measure) == 40


def test_all_of_one_colour_is_refused(tmp_path: Path) -> None:
    for k in range(3):
        flat(tmp_path / f"{k}.png", 60 * k)
    with pytest.raises(CalibrationError, match=r"every picture is of one colour \(0\.png, 1\.png, 2\.png\), nothing"):
        collect_pictures(tmp_path)


def test_some_of_one_colour_are_named_and_left_out(tmp_path: Path) -> None:
    fill(tmp_path, 40)
    flat(tmp_path / "wall.png")
    found = collect_pictures(tmp_path)
    assert found.warnings == (f"{tmp_path}: 1 pictures of one colour left out: wall.png",)
    assert len(found.calibrate) + len(found.measure) == 40


def test_a_namesake_of_a_flat_picture_in_another_folder_is_kept(tmp_path: Path) -> None:
    fill(tmp_path / "good", 2)
    flat(tmp_path / "bad" / "000.png")
    found = collect_pictures(tmp_path)
    assert len(found.calibrate) + len(found.measure) == 2


def test_the_most_that_may_be_taken_are_spread_over_the_folder(tmp_path: Path) -> None:
    fill(tmp_path, 41)
    found = collect_pictures(tmp_path, most=5)
    assert found.diagnosis is not None
    assert "41 pictures, taking 5 spread evenly over them (--pictures N for more)" in found.diagnosis.notes[0]
    assert found.measure_names == ("010.png", "030.png")
    assert len(found.calibrate) == 3
