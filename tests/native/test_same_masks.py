"""The core gives what the Python runtime gives: every step of the vectors, every format of a frame, and compositing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
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
from segruntime.refine.refiner import feather

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
    picture = cv2.cvtColor(np.concatenate([plane.ravel() for plane in planes]).reshape(-1, 320), code)
    assert (as_bgr(int8, planes, kind) == picture).all()
    wanted = int8.mask(picture)
    tensor = int8.step("input")
    assert (int8.mask(planes, kind) == wanted).all()
    assert int8.step("input") == tensor


def as_bgr(native: Native, planes: list[np.ndarray], kind: str) -> np.ndarray:
    """The colours that the core makes of a frame: its composite where all of it is foreground."""
    return native.composite(planes, np.full(planes[0].shape, 255, np.uint8), (0, 0, 0), (kind, "bgr"))


@pytest.mark.parametrize("kind", ["nv12", "nv21", "i420"])
def test_yuv_frames_of_odd_sizes_have_the_colours_of_their_even_neighbour(
    kind: str, int8: Native, photo: np.ndarray
) -> None:
    planes = yuv_planes(photo[:177, :319], kind)
    even = [cv2.copyMakeBorder(planes[0], 0, 1, 0, 1, cv2.BORDER_REPLICATE), *planes[1:]]
    assert (as_bgr(int8, planes, kind) == as_bgr(int8, even, kind)[:177, :319]).all()


@pytest.mark.parametrize(
    ("kind", "red", "blue"),
    [("", 0.299, 0.114), ("full", 0.299, 0.114), ("bt709", 0.2126, 0.0722), ("full bt709", 0.2126, 0.0722)],
)
def test_yuv_has_the_range_and_the_matrix_that_its_flags_say(kind: str, red: float, blue: float, int8: Native) -> None:
    """Against the definition, ITU-R BT.601-7 and BT.709-6, of every luma with many chromas."""
    y = np.repeat(np.arange(256, dtype=np.uint8)[None], 64, axis=0)
    u, v = np.meshgrid(np.linspace(0, 255, 128).astype(np.uint8), np.linspace(0, 255, 32).astype(np.uint8))
    found = as_bgr(int8, [y, u, v], f"i420 {kind}")
    luma, chroma = y.astype(float), [np.repeat(np.repeat(plane, 2, 0), 2, 1) - 128.0 for plane in (u, v)]
    if "full" not in kind:
        luma, chroma = np.maximum(luma - 16, 0) * 255 / 219, [plane * 255 / 224 for plane in chroma]
    b, r = luma + 2 * (1 - blue) * chroma[0], luma + 2 * (1 - red) * chroma[1]
    g = (luma - red * r - blue * b) / (1 - red - blue)
    apart = np.abs(found - np.clip(np.dstack((b, g, r)), 0, 255))
    assert apart.max() < (0.51 if kind else 0.75)  # OpenCV's own coefficients are rounded more


def test_colours_in_another_order_with_alpha_and_with_rows_apart_are_the_same_frame(
    int8: Native, photo: np.ndarray
) -> None:
    wanted = int8.mask(photo)
    wide = np.zeros((179, 400, 3), np.uint8)
    wide[:, :320] = photo
    assert (int8.mask(wide[:, :320]) == wanted).all()
    assert (int8.mask(np.ascontiguousarray(photo[..., ::-1]), "rgb") == wanted).all()
    refined = int8.alpha(photo)
    for kind, code in (("rgba", cv2.COLOR_BGR2RGBA), ("bgra", cv2.COLOR_BGR2BGRA)):
        same = cv2.cvtColor(photo, code)
        same[..., 3] = 7  # not looked at
        assert (int8.mask(same, kind) == wanted).all()
        int8.reset()
        assert (int8.alpha(same, kind) == refined).all()


@pytest.mark.parametrize(
    ("kind", "code"), [("rgb", cv2.COLOR_BGR2RGB), ("rgba", cv2.COLOR_BGR2RGBA), ("bgra", cv2.COLOR_BGR2BGRA)]
)
def test_a_composite_comes_in_the_order_that_is_asked_for(
    kind: str, code: int, int8: Native, photo: np.ndarray
) -> None:
    alpha, other = int8.alpha(photo), cv2.resize(photo[::-1], (300, 200))
    wanted = cv2.cvtColor(int8.composite(photo, alpha, other), code)
    assert (int8.composite(photo, alpha, other, ("bgr", kind)) == wanted).all()
    frame = cv2.cvtColor(photo, code)
    int8.composite(frame, alpha, other, (kind, kind), out=frame)
    assert (frame == wanted).all()


@pytest.mark.parametrize("pixels", [1, 2, 3, 8, 31, 64])
@pytest.mark.parametrize("preset", ["fast", "balanced"])
def test_a_feather_grows_alpha_as_the_runtimes(pixels: int, preset: str, opening: Opening, photo: np.ndarray) -> None:
    native = Native(MODELS / FILES[0], replace(opening, feather=pixels))
    for height, width in ((1, 1), (5, 300), (179, 320)):
        frame = cv2.resize(photo, (width, height), interpolation=cv2.INTER_NEAREST)
        sharp = Native(MODELS / FILES[0], opening).alpha(frame, preset=preset)
        wanted = feather(sharp, pixels, np.empty_like(sharp))
        assert (native.alpha(frame, preset=preset) == wanted).all(), (height, width)


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
