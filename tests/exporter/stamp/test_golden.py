"""Which pictures become golden ones, how small they get, and that every exported file passes with them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

import segexport.stamp.golden as module
import segruntime
from segexport.compare.reference import Reference, load_reference
from segexport.options import Options
from segexport.pictures.files import Picture, draw_pictures
from segexport.precisions import ONNX, PRECISIONS
from segexport.stamp.golden import COUNT, GoldenChoice, choose_golden, golden_pictures
from segexport.subject.prepare import prepare
from segruntime import read_contract
from segruntime.model_file.golden import golden_text, read_golden, with_golden

Masks = npt.NDArray[np.float32]


class RedIsPerson:
    """PyTorch's part: how red a pixel is, at 64 by 64; swapping red and blue changes what is not gray."""

    def __init__(self) -> None:
        self.calls: list[list[tuple[int, ...]]] = []

    def __call__(self, frames: Sequence[Picture]) -> Masks:
        self.calls.append([frame.shape for frame in frames])
        return np.stack([cv2.resize(frame, (64, 64))[:, :, 2] / np.float32(255) for frame in frames])


def reference_of(frames: Sequence[Picture], ask: RedIsPerson) -> Reference:
    names = tuple(f"private {k}.jpg" for k in range(len(frames)))
    return Reference(frames=np.stack(frames), masks=ask(frames), names=names, largest_logit=1.0)


def half(left: tuple[int, int, int], right: tuple[int, int, int], *, height: int = 256, width: int = 256) -> Picture:
    """Two colours (BGR), left and right."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[:, : width // 2], picture[:, width // 2 :] = left, right
    return picture


GRAY, RED, BLACK = (200, 200, 200), (0, 0, 255), (0, 0, 0)


def test_pictures_with_a_person_and_background_that_show_swapped_colours_come_first() -> None:
    everywhere, nowhere, gray, red = half(RED, RED), half(BLACK, BLACK), half(GRAY, BLACK), half(RED, BLACK)
    ask = RedIsPerson()
    reference = reference_of([everywhere, nowhere, gray, red, everywhere, nowhere] + [gray] * 7, ask)
    choice = choose_golden(reference, ask, drawn=False, count=2)
    assert choice.frames[0][:, 0].tolist() == [list(RED)] * 112
    assert choice.frames[1][0, 0].tolist() == list(GRAY)


def test_a_picture_is_small_has_the_shape_of_the_input_and_the_first_is_narrower() -> None:
    ask = RedIsPerson()
    choice = choose_golden(reference_of([half(RED, BLACK, height=96, width=192)] * 5, ask), ask, drawn=False)
    assert [frame.shape for frame in choice.frames] == [(56, 84, 3), (56, 112, 3), (56, 112, 3)]
    assert choice.masks.shape == (COUNT, 64, 64)
    assert ask.calls[-1] == [frame.shape for frame in choice.frames], "PyTorch sees what is stored"


def test_a_picture_that_is_small_already_is_not_enlarged() -> None:
    ask = RedIsPerson()
    choice = choose_golden(reference_of([half(RED, BLACK, height=32, width=32)] * 3, ask), ask, drawn=False)
    assert [frame.shape for frame in choice.frames] == [(32, 24, 3), (32, 32, 3), (32, 32, 3)]


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_pictures_than_wanted_are_all_taken(count: int) -> None:
    ask = RedIsPerson()
    choice = choose_golden(reference_of([half(RED, BLACK)] * count, ask), ask, drawn=False)
    assert choice.names == ("picture 1", "picture 2")[:count]


def test_names_of_files_stay_at_home() -> None:
    ask = RedIsPerson()
    choice = choose_golden(reference_of(draw_pictures(4), ask), ask, drawn=False)
    assert choice.names == ("picture 1", "picture 2", "picture 3")


def test_drawn_pictures_are_taken_whatever_was_measured() -> None:
    ask = RedIsPerson()
    photos = reference_of([half(RED, BLACK)] * 4, ask)
    choice = choose_golden(photos, ask, drawn=True)
    assert choice.names == ("drawn 1", "drawn 2", "drawn 3")
    drawn = [cv2.resize(picture, (112, 112), interpolation=cv2.INTER_AREA) for picture in draw_pictures(8)]
    assert any(np.array_equal(choice.frames[1], one) for one in drawn)
    again = choose_golden(photos, ask, drawn=True)
    assert all(np.array_equal(a, b) for a, b in zip(choice.frames, again.frames, strict=True))


def test_a_network_for_which_simple_shapes_are_nobody_is_shown_more_of_them() -> None:
    """Masks of nothing would agree whatever is done to the pictures; of 32 drawn ones the twelfth is somebody here."""
    drawn = draw_pictures(32)

    class SeesOne(RedIsPerson):
        def __call__(self, frames: Sequence[Picture]) -> Masks:
            masks = super().__call__(frames)
            is_one = [np.array_equal(frame, drawn[11]) or frame.shape[0] < 200 for frame in frames]
            masks[~np.array(is_one)] = 0
            masks[np.array(is_one), :, 32:] = 1
            return masks

    ask = SeesOne()
    choice = choose_golden(reference_of([half(RED, BLACK)] * 4, RedIsPerson()), ask, drawn=True)
    assert [len(call) for call in ask.calls[:2]] == [4, 28]
    shrunk = cv2.resize(drawn[11], (112, 112), interpolation=cv2.INTER_AREA)
    narrow = cv2.resize(drawn[11], (84, 112), interpolation=cv2.INTER_AREA)
    assert any(np.array_equal(frame, one) for frame in choice.frames for one in (shrunk, narrow))


def test_pictures_that_pack_badly_get_smaller_and_then_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = [np.random.default_rng(k).integers(0, 256, (256, 256, 3), np.uint8) for k in range(3)]
    ask = RedIsPerson()
    reference = reference_of(noise, ask)
    choice = choose_golden(reference, ask, drawn=False)
    assert len(choice.frames) == 3
    assert 64 <= max(choice.frames[1].shape) < 112
    monkeypatch.setattr(module, "MOST_BYTES", 60_000)
    fewer = choose_golden(reference, ask, drawn=False)
    assert 1 <= len(fewer.frames) < 3
    assert len(fewer.frames) == len(fewer.names) == len(fewer.masks)


def test_without_anybody_in_any_picture_some_are_chosen_all_the_same() -> None:
    ask = RedIsPerson()
    assert len(choose_golden(reference_of([half(BLACK, BLACK)] * 4, ask), ask, drawn=False).frames) == 3


# ── a real export ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module", params=[False, True], ids=["pictures", "drawn"])
def choice(exported: Any, request: pytest.FixtureRequest) -> GoldenChoice:
    options = Options(
        checkpoint=exported.trained.checkpoint,
        output=exported.folder,
        precisions=(),
        preprocess="imagenet",
        size=(32, 32),
    )
    subject = prepare(options)

    def ask(frames: Sequence[Picture]) -> Masks:
        return subject.ask(frames, tuple(str(k) for k in range(len(frames))), lambda _: None).masks

    return choose_golden(load_reference(exported.folder / "reference.npz"), ask, drawn=request.param)


def carry(path: Path, choice: GoldenChoice, segmenter: segruntime.Segmenter | None = None) -> int:
    """Put the file's own golden pictures into it; how many there are."""
    pictures = golden_pictures(choice, segmenter or segruntime.load(path))
    path.write_bytes(with_golden(path.read_bytes(), pictures))
    return len(pictures)


@pytest.mark.parametrize("precision", ["onnx", "float32", "float16", "int8"])
def test_every_file_of_an_export_passes_its_own_self_test(
    precision: str, choice: GoldenChoice, exported: Any, tmp_path: Path
) -> None:
    path = Path(shutil.copy(exported.path(precision), tmp_path))
    before = read_contract(path)
    assert carry(path, choice) == 3
    assert read_contract(path) == before
    result = segruntime.load(path).self_test()
    assert result.same, str(result)
    assert max(one.max_difference for one in result.pictures) == 0
    assert min(one.iou_pytorch for one in result.pictures) > 0.9
    found, bound = read_golden(path), {"onnx": ONNX, **PRECISIONS}[precision].bound.max_difference
    assert found is not None
    if bound is not None:  # both masks are exact to 1/510
        assert max(np.abs(one.made - one.reference).max() for one in found.pictures) <= bound + 1 / 255


def test_stamping_again_replaces(choice: GoldenChoice, exported: Any, tmp_path: Path) -> None:
    path = Path(shutil.copy(exported.path("int8"), tmp_path))
    carry(path, choice)
    once = path.read_bytes()
    carry(path, choice)
    assert path.read_bytes() == once


def test_a_file_that_has_no_contract_yet_can_carry_them(choice: GoldenChoice, exported: Any, tmp_path: Path) -> None:
    from segexport.compare.new_file import open_new
    from segruntime.model_file.entries import _flatbuffer_end

    whole = exported.path("float32").read_bytes()
    path = tmp_path / "a.tflite"
    path.write_bytes(whole[: _flatbuffer_end(whole)])
    assert carry(path, choice, open_new(path)) == 3


def test_a_picture_too_many_is_left_out(
    choice: GoldenChoice, exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(exported.path("int8"), tmp_path))
    pictures = golden_pictures(choice, segruntime.load(path))
    monkeypatch.setattr(module, "MOST_BYTES", len(golden_text(pictures, "0" * 64)) - 1)
    assert carry(path, choice) == 2
    found = read_golden(path)
    assert found is not None
    assert [one.name for one in found.pictures] == list(choice.names[:2])


def test_a_file_that_gives_nan_carries_none(
    choice: GoldenChoice, exported: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nan = np.full((32, 32), np.nan, np.float32)
    monkeypatch.setattr(segruntime.Segmenter, "network_mask", lambda *_: nan)
    assert golden_pictures(choice, segruntime.load(exported.path("float32"))) == ()
