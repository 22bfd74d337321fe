"""Segedge.java under the virtual machine here: the masks of the ctypes binding, and one clear exception for each misuse."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from segedge import Native, Opening
from tests.native.conftest import MODELS, NATIVE
from tests.native.test_same_masks import yuv_planes

import segruntime

FILES = (MODELS / "mobile_unet_int8.tflite", MODELS / "mobile_unet_float16.tflite")
CHROMA = 336  # bytes of a row of chroma, as Drive.java has it
FLAGS = {0: "", 0x100: " full", 0x300: " full bt709"}
XNNPACK = "INFO: Created TensorFlow Lite XNNPACK delegate for CPU."


@dataclass(frozen=True, slots=True)
class Driven:
    """What Drive.java said, and where its results lie."""

    folder: Path
    said: dict[str, list[str]]
    errors: str

    def floats(self, name: str) -> np.ndarray:
        return np.fromfile(self.folder / name, np.float32).reshape(179, 320)

    def bytes(self, name: str, *channels: int) -> np.ndarray:
        return np.fromfile(self.folder / name, np.uint8).reshape(179, 320, *channels)


def wide(plane: np.ndarray, row: int) -> np.ndarray:
    """The same with rows that lie `row` bytes apart."""
    flat = plane.reshape(len(plane), -1)
    return np.pad(flat, ((0, 0), (0, row - flat.shape[1])), constant_values=99)


def write_inputs(folder: Path, photo: np.ndarray) -> None:
    four = np.dstack((photo, np.full(photo.shape[:2], 77, np.uint8)))
    y, u, v = yuv_planes(photo, "i420")
    pictures = {
        **{"photo.bgr": photo, "photo.rgb": photo[..., ::-1], "behind.bgr": photo[:90, :100], "y": y},
        **{"photo.rgba": wide(four[..., (2, 1, 0, 3)], 1296), "photo.bgra": wide(four, 1296)},
        **{name: wide(yuv_planes(photo, kind)[1], CHROMA) for name, kind in (("uv", "nv12"), ("vu", "nv21"))},
        **{"u": wide(u, CHROMA), "v": wide(v, CHROMA)},
        **{f"moved{k}.bgr": np.roll(photo, move, axis=1) for k, move in enumerate((0, 0, 3, 9))},
        "alpha": np.arange(179 * 320, dtype=np.uint32).astype(np.uint8),
    }
    for name, picture in pictures.items():
        data = picture.tobytes()
        padded = name in ("uv", "vu")  # the last row ends with the picture, as a camera's does
        (folder / name).write_bytes(data[: len(data) - CHROMA + 320] if padded else data)


@pytest.fixture(scope="module")
def driven(core: Path, litert: Path, photo: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Driven:
    compiler, machine = shutil.which("javac"), shutil.which("java")
    version = subprocess.run([compiler, "-version"], capture_output=True, text=True).stdout if compiler else ""
    if not machine or int("0" + version.removeprefix("javac ").partition(".")[0]) < 17:
        pytest.skip("needs a JDK, 17 or later: javac and java")
    if not (core.parent / "libsegedge_jni.so").is_file():
        pytest.skip("the core was built without jni.h, or with sanitizers")
    folder = tmp_path_factory.mktemp("java")
    write_inputs(folder, photo)
    contract = segruntime.load(FILES[0]).contract.to_json()
    (folder / "contract.json").write_text(json.dumps(contract))
    sources = [NATIVE / "java" / "segedge" / "Segedge.java", Path(__file__).parent / "java" / "Drive.java"]
    strict = ["--release", "8", "-Xlint:all,-options", "-Werror", "-encoding", "UTF-8"]
    words = [compiler, *strict, "-d", str(folder), *map(str, sources)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    checks = [
        "-Xcheck:jni",
        "--enable-native-access=ALL-UNNAMED",
        f"-Djava.library.path={core.parent}",
        "-Dstdout.encoding=UTF-8",
        "-Dfile.encoding=UTF-8",
    ]
    words = [machine, *checks, "-cp", str(folder), "Drive", str(folder), str(litert), *map(str, FILES)]
    done = subprocess.run(words, cwd=folder, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.partition("\t") for line in done.stdout.splitlines()]
    said = {key: value[1:-1].split(", ", 1 if key.startswith("wrong.") else -1) for key, _, value in lines}
    return Driven(folder, said, done.stderr)


def test_the_virtual_machine_finds_nothing_wrong_with_the_calls(driven: Driven) -> None:
    """`-Xcheck:jni` warns on the standard output, in lines that are none of the program's."""
    assert [key for key in driven.said if " " in key or not key.isascii()] == []
    assert {line for line in driven.errors.splitlines() if line} <= {XNNPACK}
    assert driven.said["end"] == ["0.1.0"]


@pytest.mark.parametrize("file", FILES, ids=["int8", "float16"])
def test_masks_and_a_stream_of_alpha_are_those_of_ctypes(
    file: Path, driven: Driven, opening: Opening, photo: np.ndarray
) -> None:
    native, name = Native(file, opening), f"model{FILES.index(file)}"
    wanted = native.mask(photo)
    assert (driven.floats(f"{name}.mask") == wanted).all()
    assert (driven.floats(f"{name}.direct") == wanted).all()
    moved = [np.roll(photo, move, axis=1) for move in (0, 0, 3, 9)]
    for k, frame in enumerate(moved):
        last = native.alpha(frame)
        assert (driven.bytes(f"{name}.balanced{k}") == last).all(), k
    native.reset()
    alone = native.alpha(moved[3])
    assert (driven.bytes(f"{name}.reset") == alone).all()
    assert (alone != last).any()  # or nothing was remembered
    assert (driven.bytes(f"{name}.fast") == native.alpha(moved[3], preset="fast")).all()


@pytest.mark.parametrize("file", FILES, ids=["int8", "float16"])
def test_a_description_and_a_self_test_say_what_those_of_ctypes_say(
    file: Path, driven: Driven, opening: Opening
) -> None:
    native, name = Native(file, opening), f"model{FILES.index(file)}"
    info, result = native.describe(), native.self_test()
    sides = (info.input_width, info.input_height, info.output_width, info.output_height, info.threads)
    assert driven.said[f"{name}.info"] == [*map(str, sides), str(info.threshold)]
    assert (driven.folder / f"{name}.contract").read_bytes() == info.contract
    same, altered, *numbers = driven.said[f"{name}.test"]
    assert (same, altered, int(numbers[0])) == ("true", "false", result.pictures)
    assert list(map(float, numbers[1:])) == [result.least_iou, result.least_iou_pytorch, result.mean_difference]


def test_a_buffer_a_given_contract_and_a_feather_are_taken(
    driven: Driven, opening: Opening, int8: Native, photo: np.ndarray
) -> None:
    assert (driven.floats("heap.mask") == int8.mask(photo)).all()
    contract = (driven.folder / "contract.json").read_text()
    assert (driven.folder / "given.contract").read_text() == contract
    soft = Native(FILES[0], replace(opening, feather=6, threads=0, contract=contract)).alpha(photo, preset="fast")
    assert (driven.bytes("feather.fast") == soft).all()
    assert (soft != int8.alpha(photo, preset="fast")).any()


def test_the_order_of_colours_and_rows_apart_change_nothing(driven: Driven, int8: Native, photo: np.ndarray) -> None:
    wanted = int8.mask(photo)
    for name in ("rgb", "rgba", "bgra"):
        assert (driven.floats(f"{name}.mask") == wanted).all(), name


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("kind", ["nv12", "nv21", "i420"])
def test_yuv_as_planes_and_as_android_gives_it_is_that_of_ctypes(
    kind: str, flags: int, driven: Driven, int8: Native, photo: np.ndarray
) -> None:
    wanted = int8.mask(yuv_planes(photo, kind), kind + FLAGS[flags])
    assert (driven.floats(f"{kind}.{flags}") == wanted).all()
    assert (driven.floats(f"{kind}.android.{flags}") == wanted).all()


def test_composites_are_those_of_ctypes_in_place_too(driven: Driven, int8: Native, photo: np.ndarray) -> None:
    alpha = np.fromfile(driven.folder / "alpha", np.uint8).reshape(179, 320)
    over = driven.bytes("behind.bgra", 4)
    assert (over[..., :3] == int8.composite(photo, alpha, np.ascontiguousarray(photo[:90, :100]))).all()
    assert (over[..., 3] == 255).all()
    assert (driven.bytes("colour.bgr", 3) == int8.composite(photo, alpha, (0x1E, 0xC8, 0x0A))).all()


def test_threads_that_share_a_session_wait_for_each_other(driven: Driven) -> None:
    assert driven.said["shared"] == ["20"]


WRONG = {
    "frame.null": "got null",
    "frame.heap": "direct buffer",
    "frame.none": "direct buffer",
    "frame.small": "got 171840 bytes from the buffer's position on, expected 172800",
    "frame.written": "got 171839 bytes",
    "frame.stride": "a stride of 1279 bytes, expected at least the 1280",
    "frame.backwards": "a stride of -960 bytes",
    "frame.huge": "32769x1",
    "frame.empty": "0x1",
    "frame.long": "expected 70366596662209",
    "frame.format": "format 7",
    "frame.negative": "format -1",
    "frame.flag": "format",
    "frame.planes": "expected 2 planes",
    "frame.noPlanes": "expected 2 planes",
    "yuv.apart": "9 bytes apart",
    "yuv.step": "their pixels 4",
    "yuv.short": "plane 1: got 6 bytes",
    "yuv.heap": "direct buffer",
    "mask.order": "nativeOrder",
    "mask.heap": "direct buffer",
    "mask.null": "direct buffer",
    "mask.small": "got 14319 floats",
    "alpha.heap": "direct buffer",
    "alpha.null": "direct buffer",
    "alpha.small": "got 57279 bytes",
    "alpha.shut": "read-only",
    "alpha.preset": "preset: got 2",
    "alpha.overlap": "overlaps",
    "out.size": "the frame's size",
    "out.shut": "read-only",
    "out.null": "the frame's size",
    "out.background": "background: got null",
    "out.format": "out: got format 6",
    "open.null": "path: got null",
    "open.empty": "0 bytes",
    "open.missing": "/no/\U0001f600/ä.tflite",
    "open.zero": "code 0",
    "open.noise": "",
    "open.litert": "/no/libLiteRt.so cannot be opened",
    "open.threads": "threads: got",
    "open.contract": "\U0001f600",
    **{
        f"closed.{name}": "the session is closed"
        for name in ("mask", "alpha", "reset", "composite", "describe", "selfTest")
    },
}
OTHER = {"open.empty": "FILE", "open.missing": "FILE", "open.noise": "FILE", "open.litert": "LIBRARY"}


@pytest.mark.parametrize("name", WRONG)
def test_a_misuse_is_an_exception_that_says_what_is_wrong(name: str, driven: Driven) -> None:
    status, *text = driven.said[f"wrong.{name}"]
    assert status == OTHER.get(name, "CONTRACT" if name == "open.contract" else "ARGUMENT"), text
    assert WRONG[name] in text[0]


def test_every_misuse_that_is_tried_is_looked_at(driven: Driven) -> None:
    assert {key.removeprefix("wrong.") for key in driven.said if key.startswith("wrong.")} == set(WRONG)
