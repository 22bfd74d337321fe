"""The core gives what the Python runtime gives: every step of the vectors, every format of a frame, and compositing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from segedge import Native, Opening
from tests.native.conftest import MODELS
from tests.native.ported import check, made_vectors, read, stream_of

import segruntime
from segruntime import Refiner, composite

FILES = ("mobile_unet_int8.tflite", "mobile_unet_float16.tflite")
SIZES = ((1, 1), (2, 3), (75, 97), (256, 256), (179, 320), (360, 640), (513, 300))


def write_port(native: Native, model: dict[str, Any], vectors: Path, port: Path) -> None:
    """Every step that the core has, of every frame of the one model in `vectors`."""

    def write(entry: dict[str, Any], data: bytes) -> None:
        (port / entry["file"]).parent.mkdir(parents=True, exist_ok=True)
        (port / entry["file"]).write_bytes(data)

    for frame in model["frames"]:
        write(frame["arrays"]["alpha"], native.mask(read(vectors, frame["arrays"]["frame"]), "rgb").tobytes())
        for step in ("input", "output", "probability"):
            write(frame["arrays"][step], native.step(step))
    for preset, frame in stream_of(model, native.reset):
        alpha = native.alpha(read(vectors, frame["arrays"]["frame"]), "rgb", preset)
        write(frame["arrays"][preset], alpha.tobytes())
        write(frame["arrays"]["coarse"], native.step("coarse"))


@pytest.mark.parametrize("file", FILES)
def test_every_step_of_the_vectors_is_met(file: str, opening: Opening, tmp_path: Path) -> None:
    vectors, port = tmp_path / "vectors", tmp_path / "port"
    model = made_vectors(MODELS / file, vectors)
    write_port(Native(MODELS / file, opening), model, vectors, port)
    check(model, vectors, port)


@pytest.mark.parametrize("file", FILES)
def test_the_mask_of_frames_of_every_size_is_the_runtimes(file: str, opening: Opening, photo: np.ndarray) -> None:
    native, segmenter = Native(MODELS / file, opening), segruntime.load(MODELS / file, threads=2)
    for height, width in SIZES:
        frame = cv2.resize(photo, (width, height), interpolation=cv2.INTER_NEAREST)
        found = native.mask(frame)
        assert native.step("input") == segmenter.preprocess(frame).tobytes(), (height, width)
        assert native.step("probability") == segmenter.network_mask(frame).tobytes()
        assert np.abs(found - segmenter.alpha(frame)).max() <= 1e-6, (height, width)


@pytest.mark.parametrize("preset", ["fast", "balanced"])
def test_refined_alpha_of_a_moving_stream_is_the_runtimes(preset: str, int8: Native, photo: np.ndarray) -> None:
    segmenter = segruntime.load(MODELS / FILES[0], threads=2)
    for height, width in SIZES:
        refiner = Refiner(preset)
        large = cv2.resize(photo, (width, height), interpolation=cv2.INTER_NEAREST)
        for move in (0, 0, 3, 9):
            frame = np.roll(large, move, axis=1)
            wanted = refiner(segmenter.coarse(frame), cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
            apart = cv2.absdiff(int8.alpha(frame, preset=preset), wanted)
            # `fast` averages floats where the frame is smaller than the mask: docs/exactness.md
            assert apart.max() <= (1 if preset == "fast" else 2), (height, width, move, apart.max())


def test_reset_forgets_the_frame_before(int8: Native, photo: np.ndarray) -> None:
    first = int8.alpha(photo)
    still = int8.alpha(cv2.GaussianBlur(photo, (0, 0), 0.5))
    int8.reset()
    alone = int8.alpha(cv2.GaussianBlur(photo, (0, 0), 0.5))
    assert (still != alone).any()
    int8.reset()
    assert (int8.alpha(photo) == first).all()


def yuv_planes(photo: np.ndarray, kind: str) -> list[np.ndarray]:
    """The planes of `kind` of any picture, odd sizes too; its chroma is that of every other pixel."""
    y, u, v = cv2.split(cv2.cvtColor(photo, cv2.COLOR_BGR2YUV))
    u, v = (np.ascontiguousarray(plane[::2, ::2]) for plane in (u, v))
    if kind == "i420":
        return [y, u, v]
    return [y, np.ascontiguousarray(np.dstack((u, v) if kind == "nv12" else (v, u)))]


@pytest.mark.parametrize(
    ("kind", "code"),
    [("nv12", cv2.COLOR_YUV2BGR_NV12), ("nv21", cv2.COLOR_YUV2BGR_NV21), ("i420", cv2.COLOR_YUV2BGR_I420)],
)
def test_yuv_frames_give_the_mask_of_the_picture_that_opencv_makes_of_them(
    kind: str, code: int, int8: Native, photo: np.ndarray
) -> None:
    planes = yuv_planes(photo[:178], kind)
    as_bgr = cv2.cvtColor(np.concatenate([plane.ravel() for plane in planes]).reshape(-1, 320), code)
    wanted = int8.mask(as_bgr)
    tensor = int8.step("input")
    assert (int8.mask(planes, kind) == wanted).all()
    assert int8.step("input") == tensor


@pytest.mark.parametrize("kind", ["nv12", "nv21", "i420"])
def test_yuv_frames_of_odd_sizes_give_the_mask_of_their_even_neighbour(
    kind: str, int8: Native, photo: np.ndarray
) -> None:
    odd, even = photo[:177, :319], cv2.copyMakeBorder(photo[:177, :319], 0, 1, 0, 1, cv2.BORDER_REPLICATE)
    found, wanted = (int8.alpha(yuv_planes(one, kind), kind, "fast") for one in (odd, even))
    assert found.shape == (177, 319)
    assert np.abs(found.astype(int) - wanted[:177, :319]).mean() < 4


def test_colours_in_another_order_with_alpha_and_with_rows_apart_are_the_same_frame(
    int8: Native, photo: np.ndarray
) -> None:
    wanted = int8.mask(photo)
    wide = np.zeros((179, 400, 3), np.uint8)
    wide[:, :320] = photo
    assert (int8.mask(wide[:, :320]) == wanted).all()
    assert (int8.mask(np.ascontiguousarray(photo[..., ::-1]), "rgb") == wanted).all()
    assert (int8.mask(cv2.cvtColor(photo, cv2.COLOR_BGR2RGBA), "rgba") == wanted).all()


@pytest.mark.parametrize("size", [(179, 320), (40, 30), (400, 500), (1000, 20)])
def test_a_composite_over_a_picture_is_the_runtimes(size: tuple[int, int], int8: Native, photo: np.ndarray) -> None:
    alpha, other = int8.alpha(photo), cv2.resize(photo[::-1], size[::-1])
    wanted = composite(photo, alpha, other)
    apart = cv2.absdiff(int8.composite(photo, alpha, other), wanted)
    covers = max(179 / size[0], 320 / size[1])
    assert apart.max() <= (1 if covers < 1 else 0)  # scaled down it is INTER_AREA: docs/exactness.md


def test_a_composite_over_a_colour_is_the_runtimes_in_place_too(int8: Native, photo: np.ndarray) -> None:
    alpha = np.arange(179 * 320, dtype=np.uint32).astype(np.uint8).reshape(179, 320)
    wanted = composite(photo, alpha, (10, 200, 30))
    frame = photo.copy()
    assert (int8.composite(frame, alpha, (10, 200, 30)) == wanted).all()
    int8.composite(frame, alpha, (10, 200, 30), out=frame)
    assert (frame == wanted).all()


@pytest.mark.parametrize("file", FILES)
def test_a_file_tests_itself(file: str, opening: Opening) -> None:
    found, wanted = Native(MODELS / file, opening).self_test(), segruntime.load(MODELS / file).self_test()
    assert (found.same, found.altered, found.pictures) == (1, 0, len(wanted.pictures))
    assert found.least_iou == pytest.approx(min(one.iou_made for one in wanted.pictures))
    assert found.least_iou_pytorch == pytest.approx(min(one.iou_pytorch for one in wanted.pictures))
    assert found.mean_difference == pytest.approx(max(one.mean_difference for one in wanted.pictures))


def test_sessions_in_threads_of_their_own_do_not_disturb_each_other(opening: Opening, photo: np.ndarray) -> None:
    wanted = {file: Native(MODELS / file, opening).mask(photo) for file in FILES}
    same: list[bool] = []

    def work(file: str) -> Callable[[], None]:
        def run() -> None:
            native = Native(MODELS / file, opening)
            same.extend(bool((native.mask(photo) == wanted[file]).all()) for _ in range(5))
            native.close()

        return run

    threads = [threading.Thread(target=work(file)) for file in FILES * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same == [True] * 20


def test_a_description_says_what_the_contract_says(opening: Opening) -> None:
    info = Native(MODELS / FILES[0], opening).describe()
    contract = segruntime.Contract.from_json(info.contract.decode())
    assert contract == segruntime.load(MODELS / FILES[0]).contract
    sides = (info.input_width, info.input_height, info.output_width, info.output_height)
    assert sides == (contract.input.width, contract.input.height, contract.output.width, contract.output.height)
    assert (info.threads, info.threshold) == (2, contract.threshold)
