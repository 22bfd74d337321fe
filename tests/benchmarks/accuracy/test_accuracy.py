"""`segbench accuracy`: values worked out by hand, how pictures find their masks, and one line for all it refuses."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests import messages
from tests.places import SHARED
from tests.refusals import refused, run_segbench

import segruntime
from segbench.accuracy.run import AccuracyJob, run_accuracy, score
from segbench.accuracy.table import worst_pictures
from segbench.errors import WrongMaskError
from segbench.frames.drawn import drawn_frame
from segbench.frames.masking import Masker, coarse_mask, luma
from segbench.results.accuracy import Score
from segbench.statistics.spread import spread
from segruntime.backends import BACKENDS
from segruntime.errors import install_command
from segruntime.measures.agreement import agreement
from segruntime.picture_files import read_picture
from segruntime.refine import PRESETS, Refiner

CALIBRATION = SHARED / "data" / "portraits" / "calibration"


accuracy = partial(run_segbench, "accuracy")


def named(images: Path, masks: Path) -> tuple[object, ...]:
    return "--images", images, "--masks", masks


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Three drawn people, two of one size and one in a subfolder, and masks that call the left half of each a person."""
    images, masks = tmp_path / "images", tmp_path / "masks"
    for seed, (name, size) in enumerate((("a", (96, 64)), ("b", (96, 64)), ("deeper/c", (50, 80)))):
        mask = np.zeros((size[1], size[0]), np.uint8)
        mask[:, : size[0] // 2] = 255
        write(images / f"{name}.jpg", drawn_frame(*size, seed))
        write(masks / f"{name}.png", mask)
    red = cv2.imread(str(masks / "b.png"))  # a mask may be drawn in a colour
    assert red is not None
    red[:, :, :2] = 0
    write(masks / "b.png", np.asarray(red, np.uint8))
    return images, masks


def write(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def test_the_measures_of_one_picture_by_hand() -> None:
    truth = np.zeros((40, 40), np.uint8)
    truth[:, :10] = 255
    alpha = np.zeros((40, 40), np.float32)
    alpha[:, :20] = 0.75
    found = score("me", alpha, truth)
    assert found.iou == 0.5
    assert found.boundary_f == 0  # ten pixels apart, one is allowed
    assert found.mean_absolute_error == pytest.approx((10 * 0.25 + 10 * 0.75) / 40)
    assert score("me", alpha, truth, threshold=0.8).iou == 0


def test_a_soft_mask_is_cut_at_128_and_its_softness_counts_in_the_error() -> None:
    truth = np.array([[127, 128]], np.uint8)
    found = score("me", np.array([[0.0, 1.0]], np.float32), truth)
    assert found.iou == 1
    assert found.mean_absolute_error == pytest.approx((127 / 255 + 127 / 255) / 2)


def test_the_spread_of_four_values_by_hand() -> None:
    found = spread([0.0, 1.0, 2.0, 5.0])
    assert (found.n, found.mean, found.min, found.max, found.p50) == (4, 2, 0, 5, 1.5)
    assert found.std == pytest.approx(np.sqrt((4 + 1 + 0 + 9) / 3))
    assert found.p10 == pytest.approx(0.3)
    assert found.p90 == pytest.approx(2 + 0.7 * 3)
    assert spread([3.0]).std == 0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [(1280, 720), (31, 17)])
def test_without_a_preset_it_measures_the_mask_of_segmenter_alpha(backend: str, size: tuple[int, int]) -> None:
    frame, segmenter = drawn_frame(*size), segruntime.load(backend=backend)
    found = Masker(None).soft_mask(coarse_mask(segmenter, frame, "it"), luma(frame))
    np.testing.assert_array_equal(found, segmenter.alpha(frame))


@pytest.mark.parametrize("preset", PRESETS)
def test_with_a_preset_it_measures_the_refined_mask_of_a_still(folders: tuple[Path, Path], preset: str) -> None:
    """The pictures are no video: each is refined as if there had been none before."""
    result = accuracy(*named(*folders), "--preset", preset, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["preset"] == preset
    for one in found["each"]:
        frame = read_picture(folders[0] / f"{one['picture']}.jpg")
        truth = read_picture(folders[1] / f"{one['picture']}.png").max(axis=2)
        alpha = Refiner(preset)(segruntime.load().coarse(frame), luma(frame)).astype(np.float32) / 255
        assert one == asdict(score(one["picture"], alpha, truth))


def test_json_holds_every_picture_and_its_summary(folders: tuple[Path, Path]) -> None:
    result = accuracy(*named(*folders), "--threads", 1, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    assert (found["format"], found["version"]) == ("segedge.segbench.accuracy", 1)
    assert [one["picture"] for one in found["each"]] == ["a", "b", "deeper/c"]
    for name, summary in found["summary"].items():
        assert summary == spread([one[name] for one in found["each"]]).to_json()
    frame = cv2.imread(str(folders[0] / "a.jpg"))
    truth = cv2.imread(str(folders[1] / "a.png"), cv2.IMREAD_GRAYSCALE)
    assert frame is not None
    assert truth is not None
    assert found["each"][1]["iou"] > 0  # the red mask
    own = agreement((truth / 255).astype(np.float32), segruntime.load().alpha(np.asarray(frame, np.uint8)))
    assert found["each"][0]["iou"] == pytest.approx(own.mask_iou)
    assert found["each"][0]["mean_absolute_error"] == pytest.approx(own.mean_difference, abs=1e-6)
    assert (found["threads"], found["threshold"], found["model"]["backend"]) == (1, 0.5, "tflite")


def test_table_shows_the_measures_and_the_worst_picture(folders: tuple[Path, Path]) -> None:
    result = accuracy(*named(*folders), "--backend", "onnx")
    assert result.exit_code == 0, result.output
    for text in ("mobile_unet.onnx", "3 pictures", "IoU", "boundary F", "mean absolute error", "lowest IoU: ", "p10"):
        assert text in result.stdout


def test_the_worst_pictures_come_first() -> None:
    each = [
        Score(picture=str(k), iou=iou, boundary_f=0, mean_absolute_error=0) for k, iou in enumerate([0.9, 0.2, 0.5])
    ]
    assert [one.picture for one in worst_pictures(each, 2)] == ["1", "2"]


def test_masks_without_a_picture_are_left_out(folders: tuple[Path, Path]) -> None:
    write(folders[1] / "other.png", np.zeros((4, 4), np.uint8))
    assert len(run_accuracy(AccuracyJob(images=folders[0], masks=folders[1])).each) == 3


def test_progress_is_told_of_every_picture(folders: tuple[Path, Path]) -> None:
    seen: list[int | None] = []
    run_accuracy(AccuracyJob(images=folders[0], masks=folders[1]), seen.append)
    assert seen == [3, 3, 3]


def test_a_picture_without_its_mask(folders: tuple[Path, Path]) -> None:
    (folders[1] / "a.png").unlink()
    assert "no mask for 1 of 3 pictures, first a; expected a picture of the same name, like a.png" in refused(
        accuracy(*named(*folders))
    )


def test_folders_that_are_none_or_empty(folders: tuple[Path, Path], tmp_path: Path) -> None:
    assert f"--masks {tmp_path / 'gone'}: found nothing there" in refused(
        accuracy(*named(folders[0], tmp_path / "gone"))
    )
    assert "--images" in refused(accuracy(*named(folders[0] / "a.jpg", folders[1])))
    (tmp_path / "empty").mkdir()
    assert f"--images {tmp_path / 'empty'}: {messages.NO_PICTURE_IN_IT}, expected .apng, .avif" in refused(
        accuracy(*named(tmp_path / "empty", folders[1]))
    )
    assert f"--masks {tmp_path / 'empty'}: {messages.NO_PICTURE_IN_IT}" in refused(
        accuracy(*named(folders[0], tmp_path / "empty"))
    )


def test_two_files_of_one_name(folders: tuple[Path, Path]) -> None:
    write(folders[1] / "a.jpg", np.zeros((64, 96), np.uint8))
    assert "a.jpg and a.png have the same name, expected one file for a" in refused(accuracy(*named(*folders)))


def test_a_mask_of_another_size(folders: tuple[Path, Path]) -> None:
    write(folders[1] / "a.png", np.zeros((64, 97), np.uint8))
    assert "a.png: is 97x64, expected 96x64 as a.jpg" in refused(accuracy(*named(*folders)))


@pytest.mark.parametrize("which", [0, 1])
def test_a_picture_or_mask_that_is_cut_off(folders: tuple[Path, Path], which: int) -> None:
    path = folders[which] / ("a.jpg", "a.png")[which]
    path.write_bytes(path.read_bytes()[: (300, 40)[which]])
    assert path.name in refused(accuracy(*named(*folders)))


def test_a_model_that_gives_no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = segruntime.load()
    monkeypatch.setattr(segmenter, "network_mask", lambda _frame: np.full((4, 4), np.nan, np.float32))
    with pytest.raises(WrongMaskError, match="its mask of me has values that are no numbers"):
        coarse_mask(segmenter, drawn_frame(32, 32), "me")


def test_both_folders_are_asked_for() -> None:
    result = accuracy("--images", "somewhere")
    assert result.exit_code == 2
    assert "--masks" in result.stderr


def test_help_shows_an_example() -> None:
    assert "segbench accuracy --images portraits/images --masks portraits/masks" in accuracy("--help").stdout


def test_json_needs_no_rich_and_the_table_says_so(monkeypatch: pytest.MonkeyPatch, folders: tuple[Path, Path]) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    assert accuracy(*named(*folders), "--json").exit_code == 0
    assert f"needs rich, which is not installed: {install_command('bench')}" in refused(accuracy(*named(*folders)))


@pytest.mark.skipif(not CALIBRATION.is_dir(), reason="no portraits next to this checkout")
def test_the_bundled_model_on_hand_made_masks() -> None:
    """`examples/evaluate.py`, which shares no code but `mask_iou`, gives 0.9412 at full size (examples/README.md)."""
    result = run_accuracy(AccuracyJob(images=CALIBRATION / "images", masks=CALIBRATION / "masks"))
    assert result.summary["iou"].n == 100
    assert result.summary["iou"].mean == pytest.approx(0.9412, abs=0.001)
