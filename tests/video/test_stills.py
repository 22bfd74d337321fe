"""Pictures and folders of them: structure and endings kept, broken ones named, any size."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests import messages
from tests.each_case import each_case
from tests.processor_time import at_most
from tests.video.clips import SHARED, Frame, person

from segruntime.errors import OptionError, OutputError, PictureError
from segruntime.run.statistics import Statistics

Run = Callable[..., Statistics]
Refuses = Callable[..., None]


def save(path: Path, picture: Frame | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), person(64, 48) if picture is None else picture)
    return path


def tree(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if ".segrun" not in path.parts}


def load(path: Path) -> Frame:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return np.asarray(picture, np.uint8)


@pytest.mark.usefixtures("nowhere")
def test_a_folder_keeps_its_structure_and_the_kinds_of_its_pictures(tmp_path: Path, segrun: Run) -> None:
    names = {"a.jpg", "b.PNG", "sub/c.jpeg", "sub/deep er/d.bmp", "sub/e.webp", "ü/f.tiff"}
    for name in names:
        save(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    summary = segrun(tmp_path / "in", tmp_path / "new", "white")
    assert (summary.progress.finished, summary.errors, summary.notes) == (len(names), [], [])
    assert tree(tmp_path / "new") == names
    signatures = {"a.jpg": b"\xff\xd8\xff", "b.PNG": b"\x89PNG", "sub/deep er/d.bmp": b"BM", "sub/e.webp": b"RIFF"}
    for name, signature in signatures.items():
        assert (tmp_path / "new" / name).read_bytes().startswith(signature)
    for name in names:
        assert load(tmp_path / "new" / name).min() >= 253  # JPEG and WebP lose a little


@pytest.mark.usefixtures("left")
@pytest.mark.parametrize(("background", "channels"), [("transparent", 4), ("alpha", 1)])
def test_masks_and_cut_outs_of_a_folder_are_pngs(background: str, channels: int, tmp_path: Path, segrun: Run) -> None:
    save(tmp_path / "in" / "sub" / "a.jpg")
    segrun(tmp_path / "in", f"{tmp_path}/out", background)
    assert tree(tmp_path / "out") == {"sub/a.png"}
    picture = load(tmp_path / "out" / "sub" / "a.png")
    assert (1 if picture.ndim == 2 else picture.shape[2]) == channels


@pytest.mark.usefixtures("left")
def test_two_pictures_of_one_name_do_not_become_one_mask(tmp_path: Path, segrun: Run) -> None:
    save(tmp_path / "in" / "a.jpg", person(64, 48))
    save(tmp_path / "in" / "a.png", person(48, 64))
    segrun(tmp_path / "in", tmp_path / "out", "alpha")
    assert tree(tmp_path / "out") == {"a.png", "a.jpg.png"}
    assert load(tmp_path / "out" / "a.jpg.png").shape == (48, 64)
    assert load(tmp_path / "out" / "a.png").shape == (64, 48)


def test_the_masks_of_a_folder_do_not_remember_each_other(
    everywhere: Any, tmp_path: Path, segrun: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a certain mask comes one of doubt, where a video would borrow from the one before."""
    found = [0.5, 1.0, 0.5]
    monkeypatch.setattr(type(everywhere), "coarse", lambda *_: np.full((32, 32), found.pop(0), np.float32))
    for k in range(3):
        save(tmp_path / "in" / f"{k}.png")
    segrun(tmp_path / "in", tmp_path / "out", "alpha", preset="balanced")
    first, between, last = (load(tmp_path / "out" / f"{k}.png") for k in range(3))
    assert (first == last).all()
    assert (first < between).all()


@pytest.mark.usefixtures("nowhere")
def test_a_background_covers_pictures_of_every_size(tmp_path: Path, segrun: Run) -> None:
    for k, size in enumerate([(64, 48), (48, 64), (65, 49)]):
        save(tmp_path / "in" / f"{k}.png", person(*size))
    save(tmp_path / "behind.png", np.full((30, 90, 3), 77, np.uint8))
    segrun(tmp_path / "in", tmp_path / "out", tmp_path / "behind.png")
    for k, shape in enumerate([(48, 64, 3), (64, 48, 3), (49, 65, 3)]):
        picture = load(tmp_path / "out" / f"{k}.png")
        assert picture.shape == shape
        assert (picture == 77).all()


@pytest.mark.usefixtures("nowhere")
def test_corrupt_pictures_of_a_folder_are_left_out_and_named(tmp_path: Path, segrun: Run) -> None:
    save(tmp_path / "in" / "good.png")
    (tmp_path / "in" / "empty.png").write_bytes(b"")
    whole = save(tmp_path / "in" / "cut.jpg", person(320, 240)).read_bytes()
    (tmp_path / "in" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    summary = segrun(tmp_path / "in", tmp_path / "out")
    assert (summary.exit_code, summary.progress.finished, summary.progress.failed) == (1, 1, 2)
    assert tree(tmp_path / "out") == {"good.png"}
    cut, empty = summary.errors
    assert "cut.jpg: JPEG cut off, expected a picture" in cut
    assert "empty.png: empty file, expected a picture" in empty


def test_a_folder_without_a_picture_is_an_error(tmp_path: Path, refuses: Refuses) -> None:
    (tmp_path / "in").mkdir()
    refuses(
        PictureError,
        f"in: {messages.NO_PICTURE_IN_IT} and no video, expected a folder",
        tmp_path / "in",
        tmp_path / "out",
    )


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"text", None])
def test_a_corrupt_or_missing_picture_is_an_error(content: bytes | None, tmp_path: Path, refuses: Refuses) -> None:
    if content is not None:
        (tmp_path / "in.png").write_bytes(content)
    said = rf"^{tmp_path}/in\.png: .*, expected a picture"
    refuses(PictureError, said, tmp_path / "in.png", tmp_path / "out.png")


@each_case("background", ["green", "blur", "transparent", "alpha", "blur:1"])
@each_case("preset", ["fast", "balanced", "best"])
@each_case("size", [(1, 1), (1, 300), (300, 1), (2, 2)])
def test_tiny_and_thin_pictures(
    background: str, preset: str, size: tuple[int, int], tmp_path: Path, segrun: Run
) -> None:
    save(tmp_path / "in.png", np.full((*size, 3), 120, np.uint8))
    segrun(tmp_path / "in.png", tmp_path / "out.png", background, preset=preset, overwrite=True)
    assert load(tmp_path / "out.png").shape[:2] == size


@pytest.mark.slow
@pytest.mark.parametrize("background", ["blur", "alpha"])
def test_a_picture_of_48_million_pixels(background: str, tmp_path: Path, segrun: Run) -> None:
    save(tmp_path / "in.jpg", cv2.resize(person(800, 600), (8000, 6000)))
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with at_most(60):
        segrun(tmp_path / "in.jpg", tmp_path / ("out.jpg" if background == "blur" else "out.png"), background)
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) / 1024
    assert grown_mib < 48e6 * 3 * 8 / 2**20  # eight pictures of 137 MiB; a float copy of one alone would be four


@pytest.mark.usefixtures("nowhere")
def test_a_picture_into_a_folder_keeps_its_name(tmp_path: Path, segrun: Run) -> None:
    save(tmp_path / "in" / "a.jpg")
    segrun(tmp_path / "in" / "a.jpg", f"{tmp_path}/out/")
    assert tree(tmp_path / "out") == {"a.jpg"}


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("background", ["green", "transparent"])
def test_a_picture_into_its_own_folder_does_not_replace_it(background: str, tmp_path: Path, refuses: Refuses) -> None:
    save(tmp_path / "a.png")
    said = f"{messages.THE_INPUT_ITSELF}; choose another name with -o"
    refuses(OutputError, said, tmp_path / "a.png", f"{tmp_path}/", background, overwrite=True)


@pytest.mark.parametrize("output", ["out.mp4", "out.jpg", "f/%05d.png"])
def test_a_folder_cannot_become_one_file(output: str, tmp_path: Path, refuses: Refuses) -> None:
    save(tmp_path / "in" / "a.png")
    said = "the input is a folder, expected a folder for the results, like "
    refuses(OutputError, said, tmp_path / "in", tmp_path / output)


def test_a_picture_has_no_place_in_a_virtual_camera(
    tmp_path: Path, refuses: Refuses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = "virtual-camera: takes a video or a camera, got a picture"
    refuses(OptionError, said, save(tmp_path / "a.png"), "virtual-camera")


@pytest.mark.slow
def test_the_calibration_portraits_give_their_masks(tmp_path: Path, segrun: Run) -> None:
    folder = SHARED / "data" / "portraits" / "calibration"
    if not folder.is_dir():
        pytest.skip("the portraits are not there")
    summary = segrun(folder / "images", f"{tmp_path}/masks/", "alpha", preset="balanced")
    assert summary.progress.finished == len(list((folder / "images").iterdir()))
    scores = []
    for path in sorted((folder / "masks").iterdir())[:40]:
        truth, found = load(path), load(tmp_path / "masks" / f"{path.stem}.png")
        truth = truth[..., 0] if truth.ndim == 3 else truth
        assert found.shape == truth.shape
        scores.append(((truth > 127) & (found > 127)).sum() / ((truth > 127) | (found > 127)).sum())
    assert np.mean(scores) > 0.9
