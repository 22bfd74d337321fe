"""What the calibration doctor says of pictures that are made to be wrong in one way each."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from segexport.errors import CalibrationError
from segexport.pictures.calibration import collect_pictures
from segexport.pictures.doctor import Diagnosis, Stability, diagnose, picture_facts
from segexport.pictures.files import draw_pictures

Pixels = npt.NDArray[np.uint8]


def seen(
    pictures: list[Pixels], size: tuple[int, int] | None = (256, 256), left_out: tuple[str, ...] = ()
) -> Diagnosis:
    facts = [picture_facts(f"{k:03}.png", picture) for k, picture in enumerate(pictures)]
    count = len(pictures) + len(left_out)
    return diagnose("folder", count, count, facts, left_out, size)


def texts(diagnosis: Diagnosis, level: str) -> list[str]:
    return [finding.text for finding in diagnosis.findings if finding.level == level]


@pytest.fixture(scope="module")
def people() -> list[Pixels]:
    return draw_pictures(40, size=256, seed=3)


def test_a_good_folder_has_nothing_to_complain_about(people: list[Pixels]) -> None:
    found = seen(people)
    assert found.warnings == ()
    assert texts(found, "ok") == ["40 usable pictures: half calibrates, half measures"]
    assert found.sizes == {"smallest": [256, 256], "median": [256, 256], "largest": [256, 256]}


def test_brightness_is_the_mean_and_spread_over_the_pictures() -> None:
    gray = [np.full((64, 64, 3), level, np.uint8) for level in (10, 100, 190)]
    assert seen(gray).brightness == {"mean": 100.0, "spread": round(float(np.std([10, 100, 190])), 1)}


def test_too_few_are_counted(people: list[Pixels]) -> None:
    assert "31 usable pictures, 32 or more are better" in seen(people[:31]).warnings[0]


def test_frames_of_one_video_are_told_from_different_pictures(people: list[Pixels]) -> None:
    rng = np.random.default_rng(0)
    video = [np.clip(people[0] + rng.normal(0, 2, people[0].shape), 0, 255).astype(np.uint8) for _ in range(40)]
    (warning,) = [text for text in texts(seen(video), "warning") if "look nearly like another" in text]
    assert warning.startswith("39 of 40 pictures look nearly like another one")
    assert "frames of one video tell little" in warning
    assert not any("nearly like" in finding.text for finding in seen(people).findings)


def test_one_picture_that_is_nearly_another_is_a_note(people: list[Pixels]) -> None:
    brighter = np.clip(people[5].astype(int) + 6, 0, 255).astype(np.uint8)
    (note,) = texts(seen([*people, brighter]), "note")
    assert note == "1 of 41 pictures look nearly like another one, such as 040.png"


def test_pictures_without_colour_are_said(people: list[Pixels]) -> None:
    gray = [cv2.cvtColor(cv2.cvtColor(p, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR) for p in people]
    assert any("40 of 40 pictures have no colour" in text for text in seen(gray).warnings)


@pytest.mark.parametrize(("factor", "shift", "word"), [(0.12, 0, "dark"), (0.15, 215, "bright")])
def test_a_folder_of_one_light_only_is_said(people: list[Pixels], factor: float, shift: int, word: str) -> None:
    found = seen([np.clip(p * factor + shift, 0, 255).astype(np.uint8) for p in people])
    assert any(f"pictures are very {word}; others are missing" in text for text in found.warnings)


def test_pictures_much_smaller_than_the_networks_input_are_said(people: list[Pixels]) -> None:
    found = seen([cv2.resize(p, (90, 90)) for p in people])
    assert any("40 of 40 pictures are smaller than half of the network's 256x256" in text for text in found.warnings)


def test_a_shape_that_gets_squeezed_is_said(people: list[Pixels]) -> None:
    wide = [cv2.resize(p, (640, 256)) for p in people]
    assert "most pictures are 2.5 times as wide as the network's input and get squeezed" in texts(seen(wide), "note")[0]


def test_what_was_left_out_comes_first(people: list[Pixels]) -> None:
    found = seen(people, left_out=("1 of 41 pictures cannot be read",))
    assert found.findings[0].text == "1 of 41 pictures cannot be read"
    assert found.warnings == ("folder: 1 of 41 pictures cannot be read",)
    assert (found.found, found.usable) == (41, 40)


def masks(folder: Path, count: int, first: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    for index in range(first, first + count):
        mask = np.zeros((96, 96, 3), np.uint8)
        cv2.circle(mask, (48, 40 + index % 9), 20 + index % 13, (255, 255, 255), -1)
        cv2.imwrite(str(folder / f"{index}.png"), mask)


def test_the_folder_of_masks_is_refused_before_anything_is_converted(tmp_path: Path) -> None:
    masks(tmp_path / "masks", 12)
    with pytest.raises(
        CalibrationError, match=r"most of its \d+ pictures are black and white areas.*give the folder of the"
    ):
        collect_pictures(tmp_path / "masks")


def test_a_few_masks_among_pictures_are_a_warning(tmp_path: Path, people: list[Pixels]) -> None:
    masks(tmp_path / "both", 3)
    for index, picture in enumerate(people):
        cv2.imwrite(str(tmp_path / "both" / f"p{index}.png"), picture)
    found = collect_pictures(tmp_path / "both")
    assert any("3 pictures are black and white areas only" in text for text in found.warnings)


def test_stability_is_told_in_points_and_in_words() -> None:
    steady = Stability(iou_between=0.998, iou_first=0.9985, iou_second=0.9980, pictures=12)
    assert steady.difference_points == pytest.approx(0.05)
    assert "more pictures would change little" in str(steady)
    shaky = Stability(iou_between=0.93, iou_first=0.99, iou_second=0.95, pictures=12)
    assert shaky.difference_points == pytest.approx(4.0)
    assert "lose 1.00 and 5.00 points against PyTorch: the result depends on which pictures calibrate" in str(shaky)


def test_the_diagnosis_is_plain_json(people: list[Pixels]) -> None:
    import json

    found = seen(people).with_stability(Stability(iou_between=1.0, iou_first=1.0, iou_second=1.0, pictures=3))
    data = json.loads(json.dumps(found.to_json()))
    assert data["stability"]["difference_points"] == 0.0
    assert {"level": "ok", "text": "40 usable pictures: half calibrates, half measures"} in data["findings"]
