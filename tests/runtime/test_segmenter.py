"""Frame in, soft alpha out: the bundled network, any frame, `out=`, threads, letterbox, no state between frames."""

from __future__ import annotations

import dataclasses
import inspect
import platform
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests import messages
from tests.each_case import each_case
from tests.places import ROOT
from tests.refusals import refusal

import segruntime
from segruntime import Contract, Segmenter
from segruntime.backends import BACKENDS, TensorInfo
from segruntime.errors import FrameError, ModelFileError, OptionError
from segruntime.model_file.contract import EXAMPLE
from segruntime.processor import Processor, find_processor
from segruntime.segmenter import BUNDLED, WITHOUT_INT8, bundled_model


def noise(*shape: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module", params=list(BACKENDS))
def bundled(request: pytest.FixtureRequest) -> Segmenter:
    return segruntime.load(backend=request.param, threads=1)


class RedChannel:
    """A backend whose person is the red channel: what comes out can be worked out."""

    name = "red"
    library = "none"

    def __init__(self, contract: Contract) -> None:
        self.inputs = [TensorInfo(name="in", shape=contract.input.shape, dtype="float32")]
        self.outputs = [TensorInfo(name="out", shape=contract.output.shape, dtype="float32")]
        self.size = contract.output.height, contract.output.width

    def run(self, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
        _, height, width, _ = tensor.shape
        rows = np.arange(self.size[0]) * height // self.size[0]
        columns = np.arange(self.size[1]) * width // self.size[1]
        return tensor[:, rows][:, :, columns, :1].copy()


def red_segmenter(width: int, height: int, resize: str, output: tuple[int, int] | None = None) -> Segmenter:
    out_width, out_height = output or (width, height)
    contract = Contract(
        input=dataclasses.replace(EXAMPLE.input, width=width, height=height, resize=resize),
        output=dataclasses.replace(EXAMPLE.output, width=out_width, height=out_height),
    )
    return Segmenter(RedChannel(contract), contract, Path("red"), 1)


# ── load ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_bundled_network_is_loaded_where_no_path_is_given() -> None:
    segmenter = segruntime.load()
    assert segmenter.path == bundled_model("tflite", platform.machine(), find_processor)
    assert (segmenter.backend, segmenter.library) == ("tflite", "ai_edge_litert")
    assert 1 <= segmenter.threads <= 4


@pytest.mark.parametrize(
    ("int8", "machine", "backend", "file"),
    [
        ("VNNI", "x86_64", "tflite", BUNDLED["tflite"]),
        ("neither", "x86_64", "tflite", WITHOUT_INT8),
        ("unknown", "AMD64", "tflite", WITHOUT_INT8),
        ("dot product", "aarch64", "tflite", BUNDLED["tflite"]),
        ("neither", "aarch64", "tflite", BUNDLED["tflite"]),
        ("unknown", "arm64", "tflite", BUNDLED["tflite"]),
        ("neither", "x86_64", "onnx", BUNDLED["onnx"]),
    ],
)
def test_int8_is_taken_where_it_pays(int8: Any, machine: str, backend: str, file: Path) -> None:
    assert bundled_model(backend, machine, lambda: Processor(name="one", int8=int8)) == file


@pytest.mark.parametrize(("backend", "machine"), [("onnx", "x86_64"), ("tflite", "aarch64")])
def test_the_processor_is_asked_only_where_it_decides(backend: str, machine: str) -> None:
    def asked() -> Processor:
        pytest.fail("the processor was asked")

    assert bundled_model(backend, machine, asked) == BUNDLED[backend]


@pytest.mark.parametrize("backend", list(BACKENDS))
def test_each_backend_has_a_bundled_network_with_a_contract(backend: str) -> None:
    segmenter = segruntime.load(backend=backend)
    assert segmenter.backend == backend
    assert segmenter.contract.input.value_range == (0.0, 1.0)
    assert segmenter.contract.input.color == "rgb"
    assert segmenter.contract.output.meaning == "probability"
    assert segmenter.contract.output.channels == 1


def test_the_bundled_int8_network_takes_camera_bytes_as_they_are() -> None:
    spec = segruntime.load(BUNDLED["tflite"]).contract.input
    assert spec.dtype == "uint8"
    assert spec.scale == pytest.approx(1 / 255, rel=1e-6)
    assert spec.zero_point == np.iinfo(spec.dtype).min


def test_a_file_with_int8_at_its_ends_as_segedge_once_wrote_it_still_gives_its_mask() -> None:
    segmenter = segruntime.load(ROOT / "tests" / "runtime" / "golden" / "int8_ends.tflite")
    assert (segmenter.contract.input.dtype, segmenter.contract.input.zero_point) == ("int8", -128)
    assert (segmenter.contract.output.dtype, segmenter.contract.output.zero_point) == ("int8", -128)
    found = segmenter.self_test()
    assert found.same, found


@each_case("threads", [1, 2, 256])
def test_threads_that_are_asked_for_are_kept(threads: int) -> None:
    assert segruntime.load(threads=threads).threads == threads


@each_case("threads", [0, -1, 257, True, False, 1.5, 2.0, "2", [2], np.int64(2)])
def test_threads_that_cannot_be_are_refused(threads: Any) -> None:
    assert refusal(OptionError, segruntime.load, threads=threads) == f"threads: got {threads!r}, {messages.THREADS}"


@each_case(("path", "backend"), [("tflite", "onnx"), ("onnx", "tflite")])
def test_a_backend_that_does_not_fit_the_file_is_refused(path: str, backend: str) -> None:
    with pytest.raises(
        OptionError, match=f"is a file for backend '{path}', got backend='{backend}'; leave backend out"
    ):
        segruntime.load(BUNDLED[path], backend=backend)


def test_an_unknown_backend_is_refused_with_the_known_ones() -> None:
    with pytest.raises(OptionError, match="backend: got 'openvino', expected one of tflite, onnx"):
        segruntime.load(backend="openvino")


@pytest.mark.parametrize("kind", list(BACKENDS))
def test_the_content_says_what_a_file_is_not_its_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / {"tflite": "model.onnx", "onnx": "model.tflite"}[kind]
    path.write_bytes(BUNDLED[kind].read_bytes())
    assert segruntime.load(path).backend == kind
    assert segruntime.load(str(path), backend=kind).path == path


def test_a_path_with_nothing_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=rf"model\.tflite: {messages.NOTHING_THERE} .*; check the path"):
        segruntime.load(tmp_path / "model.tflite")


# ── frames ────────────────────────────────────────────────────────────────────────────────────────────────────────────

SIZES = [(1, 1), (1, 300), (300, 1), (17, 31), (120, 213), (213, 120), (256, 256)]


@each_case("size", SIZES)
def test_alpha_has_the_size_of_the_frame_whatever_it_is(bundled: Segmenter, size: tuple[int, int]) -> None:
    for frame in (noise(*size, 3), noise(*size), noise(*size, 1), noise(*size, 4)):
        alpha = bundled.alpha(frame)
        assert alpha.shape == size
        assert alpha.dtype == np.float32
        assert alpha.min() >= 0
        assert alpha.max() <= 1


def test_gray_and_bgra_give_the_mask_of_the_frame_that_they_stand_for(bundled: Segmenter) -> None:
    gray, bgra = noise(40, 50), noise(40, 50, 4)
    np.testing.assert_array_equal(bundled.alpha(gray), bundled.alpha(np.stack([gray] * 3, axis=-1)))
    np.testing.assert_array_equal(bundled.alpha(gray[..., None]), bundled.alpha(gray))
    np.testing.assert_array_equal(bundled.alpha(bgra), bundled.alpha(bgra[..., :3].copy()))


@each_case(
    "view", [lambda a: a[4:40, 6:50], lambda a: a[::-1, ::-1], lambda a: a.swapaxes(0, 1), lambda a: a[::2, ::3]]
)
def test_views_give_the_mask_of_their_copy(bundled: Segmenter, view: Any) -> None:
    frame = view(noise(60, 70, 3))
    np.testing.assert_array_equal(bundled.alpha(frame), bundled.alpha(frame.copy()))


@each_case(
    "frame",
    [
        None,
        [[0]],
        np.zeros(5, np.uint8),
        np.zeros((4, 4, 3)),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_a_refused_frame_leaves_the_segmenter_usable(bundled: Segmenter, frame: Any) -> None:
    good = noise(30, 40, 3)
    before = bundled.alpha(good)
    for refuse in (bundled.alpha, bundled.coarse, bundled.network_mask):
        with pytest.raises(FrameError, match=r"^frame: got "):
            refuse(frame)
    np.testing.assert_array_equal(bundled.alpha(good), before)


def test_out_is_written_to_and_a_wrong_one_refused(bundled: Segmenter) -> None:
    frame = noise(30, 40, 3)
    expected = bundled.alpha(frame)
    out = np.full((30, 40), -1, np.float32)
    assert np.shares_memory(bundled.alpha(frame, out=out), out)
    np.testing.assert_array_equal(out, expected)
    with pytest.raises(FrameError, match=r"out: got \(40, 30\) float32, expected \(30, 40\) float32"):
        bundled.alpha(frame, out=np.zeros((40, 30), np.float32))
    np.testing.assert_array_equal(bundled.alpha(frame), expected)


def test_frames_leave_nothing_behind(bundled: Segmenter) -> None:
    frames = [noise(30, 40, 3, seed=1), noise(90, 20, 3, seed=2), noise(30, 40, seed=3), np.zeros((5, 5, 3), np.uint8)]
    first = [bundled.alpha(frame) for frame in frames]
    kept = [alpha.copy() for alpha in first]
    for frame, alpha in list(zip(frames, kept, strict=True))[::-1]:
        np.testing.assert_array_equal(bundled.alpha(frame), alpha)
    for alpha, copy in zip(first, kept, strict=True):
        np.testing.assert_array_equal(alpha, copy)


def test_the_stages_together_are_alpha(bundled: Segmenter) -> None:
    frame = noise(33, 44, 3)
    output = bundled.invoke(bundled.preprocess(frame))
    np.testing.assert_array_equal(bundled.postprocess(output, (33, 44)), bundled.alpha(frame))
    assert bundled.probability(output).shape == (bundled.contract.output.height, bundled.contract.output.width)


def test_two_segmenters_do_not_disturb_each_other() -> None:
    frames = noise(30, 40, 3, seed=1), noise(50, 20, 3, seed=2)
    alone = [segruntime.load(threads=1).alpha(frame) for frame in frames]
    together = segruntime.load(threads=1), segruntime.load(threads=1)
    tensors = [segmenter.preprocess(frame) for segmenter, frame in zip(together, frames, strict=True)]
    outputs = [segmenter.invoke(tensor) for segmenter, tensor in zip(together, tensors, strict=True)]
    for segmenter, output, frame, expected in zip(together, outputs, frames, alone, strict=True):
        np.testing.assert_array_equal(segmenter.postprocess(output, frame.shape[:2]), expected)


def test_calls_from_many_threads_give_the_masks_of_calls_in_turn(bundled: Segmenter) -> None:
    frames = [noise(20 + 9 * n, 90 - 7 * n, 3, seed=n) for n in range(8)]
    expected = [bundled.alpha(frame) for frame in frames]
    start = threading.Barrier(8)

    def run(n: int) -> list[npt.NDArray[np.float32]]:
        start.wait()
        return [bundled.alpha(frames[n]) for _ in range(4)]

    with ThreadPoolExecutor(8) as pool:
        for n, found in enumerate(pool.map(run, range(8))):
            for alpha in found:
                np.testing.assert_array_equal(alpha, expected[n])


# ── letterbox, through to alpha ───────────────────────────────────────────────────────────────────────────────────────


@each_case("size", [(20, 20), (30, 90), (90, 30), (1, 5000), (5000, 1), (1, 1), (7, 13)])
def test_the_letterbox_pad_never_leaks_into_alpha(size: tuple[int, int]) -> None:
    segmenter = red_segmenter(32, 24, "letterbox")
    segmenter.alpha(np.zeros((size[1], size[0], 3), np.uint8))
    alpha = segmenter.alpha(np.full((*size, 3), 255, np.uint8))
    assert alpha.shape == size
    assert (alpha == 1).all()


@each_case("output", [(16, 16), (8, 8), (64, 64), (16, 32)])
@each_case("size", [(16, 32), (32, 16), (32, 32), (160, 320)])
def test_the_pad_does_not_leak_where_the_output_has_another_size(
    size: tuple[int, int], output: tuple[int, int]
) -> None:
    alpha = red_segmenter(32, 32, "letterbox", output).alpha(np.full((*size, 3), 255, np.uint8))
    assert alpha.shape == size
    assert (alpha == 1).all()


@each_case("resize", ["letterbox", "stretch"])
@each_case("size", [(48, 64), (64, 48), (30, 90), (24, 32)])
def test_alpha_lies_where_the_red_is(resize: str, size: tuple[int, int]) -> None:
    segmenter = red_segmenter(64, 64, resize)
    height, width = size
    frame = np.zeros((*size, 3), np.uint8)
    frame[: height // 2, width // 3 :, 2] = 255  # red is the last of BGR
    alpha = segmenter.alpha(frame)
    red = frame[..., 2] == 255
    # two pixels of the network's own grid, in pixels of the frame, are left for the soft edge
    margin = 2 * max(1, round(max(height, width) / 64))
    rows, columns = np.mgrid[0:height, 0:width]
    away = (np.abs(rows - height // 2) > margin) & (np.abs(columns - width // 3) > margin)
    assert ((alpha > 0.5) == red)[away].all()


def test_every_public_function_names_the_shape_of_its_arrays() -> None:
    for function in (Segmenter.alpha, segruntime.composite):
        text = inspect.getdoc(function)
        assert text is not None
        assert "uint8" in text
        assert "float32" in text
