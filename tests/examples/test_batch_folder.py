"""The batch program: structure kept, real masks, a corrupt picture is a line and not the end."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import numpy.typing as npt
import pytest

import segruntime
from segruntime.measures.agreement import mask_iou

Example = Callable[[str], ModuleType]


def picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 256, (40, 30, 3), dtype=np.uint8))
    return path


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_portrait_becomes_its_person_on_nothing(
    example: Example, portrait: tuple[Path, npt.NDArray[np.bool_]], tmp_path: Path
) -> None:
    path, person = portrait
    (tmp_path / "in").mkdir()
    shutil.copy(path, tmp_path / "in" / "me.jpg")
    assert example("batch_folder").main([str(tmp_path / "in"), str(tmp_path / "out")]) == 0
    cutout = cv2.imread(str(tmp_path / "out" / "me.png"), cv2.IMREAD_UNCHANGED)
    assert cutout is not None
    np.testing.assert_array_equal(cutout[..., :3], cv2.imread(str(path)))
    assert mask_iou(cutout[..., 3] > 127, person) > 0.9


def test_the_structure_is_kept_and_every_alpha_is_the_segmenters(example: Example, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    names = ["a.jpg", "deep/er/b.PNG", "deep/c.bmp", "same.jpg", "same.webp"]
    pictures = {name: picture(source / name, seed) for seed, name in enumerate(names)}
    (source / "notes.txt").write_text("no picture")
    assert example("batch_folder").main([str(source), str(target)]) == 0
    made = ["a.png", "deep/c.png", "deep/er/b.png", "same.jpg.png", "same.webp.png"]
    assert written(target) == made
    segmenter = segruntime.load()
    for name, png in {"a.jpg": "a.png", "same.webp": "same.webp.png", "deep/er/b.PNG": "deep/er/b.png"}.items():
        frame = np.asarray(cv2.imread(str(pictures[name])), np.uint8)
        found = cv2.imread(str(target / png), cv2.IMREAD_UNCHANGED)
        assert found is not None
        np.testing.assert_array_equal(found[..., 3], np.rint(segmenter.alpha(frame) * 255).astype(np.uint8))


def test_a_corrupt_picture_is_a_line_and_the_others_are_done(
    example: Example, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    picture(source / "a.png")
    (source / "b.jpg").write_bytes(b"\xff\xd8 cut off")
    picture(source / "c.png")
    assert example("batch_folder").main([str(source), str(target)]) == 1
    said = capsys.readouterr()
    assert said.err == f"{source / 'b.jpg'}: no picture that OpenCV can read; skipped\n"
    assert said.out.splitlines() == [f"1/3 {target / 'a.png'}", f"3/3 {target / 'c.png'}", "2 written, 1 skipped"]
    assert written(target) == ["a.png", "c.png"]


def test_a_second_run_into_a_folder_inside_does_not_cut_out_the_cut_outs(example: Example, tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    for _ in range(2):
        assert example("batch_folder").main([str(tmp_path), str(tmp_path / "out")]) == 0
    assert written(tmp_path) == ["a.jpg", "out/a.png"]


def test_a_target_that_cannot_be_written_is_a_line(
    example: Example, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "in" / "a.jpg")
    (tmp_path / "out").write_text("a file stands here")
    assert example("batch_folder").main([str(tmp_path / "in"), str(tmp_path / "out")]) == 1
    assert "a.png: cannot be written (" in capsys.readouterr().err


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_a_folder_without_pictures_is_one_line(
    example: Example, tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert example("batch_folder").main([str(tmp_path / folder), str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.startswith(f"{tmp_path / folder}: no pictures there; expected files ending in")
