"""The example for a board with a camera: its frames are the binding's, and each thing that a camera does wrong has its line.

No camera is needed: `fake_camera.c`, loaded before the C library, is one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from segedge import Native
from tests.each_case import each_case
from tests.native.conftest import MODELS

Bytes = np.ndarray
Ran = subprocess.CompletedProcess[bytes]
MODEL, DEVICE, GREEN = MODELS / "mobile_unet_int8.tflite", "/dev/video-fake", (0, 255, 0)
WIDTH, HEIGHT, PADDING = 320, 178, 24
PLANAR = {"NV12": "nv12", "NV21": "nv21", "YU12": "i420", "YV12": "i420"}
PACKED = {"RGB3": "rgb", "BGR3": "bgr", "AB24": "rgba", "XB24": "rgba", "AR24": "bgra", "XR24": "bgra"}
LIMITED, FULL, BT601, BT709 = 2, 1, 1, 2


@dataclass(frozen=True, slots=True)
class Laid:
    """One frame: its bytes as a camera gives them, rows padded, and its planes as the binding takes them."""

    raw: bytes
    planes: list[Bytes]
    kind: str
    stride: int


def padded(plane: Bytes, bytes_: int) -> bytes:
    rows = plane.reshape(len(plane), -1)
    return np.pad(rows, ((0, 0), (0, bytes_)), constant_values=77).tobytes()


def laid(fourcc: str, bgr: Bytes, padding: int = PADDING) -> Laid:
    if fourcc in PACKED:
        kind = PACKED[fourcc]
        code = {"rgb": cv2.COLOR_BGR2RGB, "rgba": cv2.COLOR_BGR2RGBA, "bgra": cv2.COLOR_BGR2BGRA}.get(kind)
        plane = bgr if code is None else cv2.cvtColor(bgr, code)
        return Laid(padded(plane, padding), [plane], kind, plane.shape[1] * plane.shape[2] + padding)
    y, u, v = cv2.split(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV))
    if fourcc == "YUYV":
        chroma = np.dstack((u[:, ::2], v[:, ::2])).reshape(y.shape)
        mean = ((chroma[::2].astype(int) + chroma[1::2] + 1) // 2).astype(np.uint8)
        raw = padded(np.dstack((y, chroma)), padding)
        return Laid(raw, [y, mean.reshape(len(mean), -1, 2)], "nv12", 2 * y.shape[1] + padding)
    u, v = (np.ascontiguousarray(plane[::2, ::2]) for plane in (u, v))
    planes = {
        "NV12": [y, np.dstack((u, v))],
        "NV21": [y, np.dstack((v, u))],
        "YU12": [y, u, v],
        "YV12": [y, v, u],
    }[fourcc]
    half = len(planes) == 3
    raw = padded(y, padding) + b"".join(padded(plane, padding // 2 if half else padding) for plane in planes[1:])
    return Laid(raw, [y, u, v] if half else planes, PLANAR[fourcc], y.shape[1] + padding)


@pytest.fixture(scope="module")
def program(core: Path) -> Path:
    found = core.parent / "segedge_camera"
    if not found.is_file():
        pytest.skip("this build is without examples")
    return found


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("needs cc")
    library = tmp_path_factory.mktemp("fake") / "fake_camera.so"
    warnings = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]
    source = str(Path(__file__).parent / "fake_camera.c")
    subprocess.run(
        [compiler, "-std=c11", "-shared", "-fPIC", *warnings, "-o", str(library), source, "-ldl"], check=True
    )
    return library


@pytest.fixture(scope="module")
def bgrs(photo: Bytes) -> list[Bytes]:
    """Twenty-four frames of a stream, of which each is another."""
    return [np.ascontiguousarray(np.roll(photo[:HEIGHT], 5 * k, axis=1)) for k in range(24)]


@dataclass(frozen=True, slots=True)
class Board:
    """A machine with the fake camera; `log`: what was given back to it."""

    program: Path
    litert: Path
    fake: Path
    folder: Path

    @property
    def log(self) -> list[str]:
        path = self.folder / "log"
        return path.read_text().split() if path.exists() else []

    def camera(self, frames: Sequence[Laid], *words: str, fourcc: str = "NV12", **fakes: str) -> Ran:
        """With a camera that gives `frames`, after which a signal comes, where `fakes` say nothing else."""
        (self.folder / "frames").write_bytes(b"".join(frame.raw for frame in frames))
        size = len(frames[0].raw) if frames else 1
        stride = frames[0].stride if frames else WIDTH
        environment = {
            "LD_PRELOAD": str(self.fake),
            "FAKE_CAMERA": DEVICE,
            "FAKE_FORMATS": f"MJPG,{fourcc}",
            "FAKE_SHAPE": f"{WIDTH} {HEIGHT} {stride} {size} {LIMITED} {BT601}",
            "FAKE_FRAMES": str(self.folder / "frames"),
            "FAKE_END": "signal",
            "FAKE_LOG": str(self.folder / "log"),
            **{f"FAKE_{name.upper()}": value for name, value in fakes.items()},
        }
        return self.run(["--device", DEVICE, *words], environment)

    def run(self, words: list[str], environment: dict[str, str] | None = None, given: bytes = b"") -> Ran:
        whole = {**os.environ, "SEGEDGE_LITERT": str(self.litert), **(environment or {})}
        command = [str(self.program), "--threads", "2", *words, str(MODEL)]
        return subprocess.run(command, env=whole, input=given, capture_output=True, check=False, timeout=60)


@pytest.fixture
def board(program: Path, litert: Path, fake: Path, tmp_path: Path) -> Board:
    return Board(program, litert, fake, tmp_path)


def pictures(ran: Ran) -> list[Bytes]:
    """The PPMs of standard output, as BGR."""
    found, rest = [], ran.stdout
    while rest:
        head = re.match(rb"P6\n(\d+) (\d+)\n255\n", rest)
        assert head, rest[:20]
        width, height = int(head[1]), int(head[2])
        end = head.end() + 3 * width * height
        found.append(np.frombuffer(rest[head.end() : end], np.uint8).reshape(height, width, 3)[..., ::-1])
        rest = rest[end:]
    return found


def wanted(native: Native, frames: Sequence[Laid], background: Bytes | tuple[int, int, int] = GREEN) -> list[Bytes]:
    native.reset()
    made = []
    for frame in frames:
        image = frame.planes if len(frame.planes) > 1 else frame.planes[0]
        made.append(native.composite(image, native.alpha(image, frame.kind), background, (frame.kind, "bgr")))
    return made


def check_same(ran: Ran, expected: list[Bytes]) -> None:
    assert ran.returncode == 0, ran.stderr.decode()
    found = pictures(ran)
    assert len(found) == len(expected), ran.stderr.decode()
    assert all((one == other).all() for one, other in zip(found, expected, strict=True))


def says(ran: Ran) -> str:
    """The line of a failure: LiteRT's own aside, there is no other."""
    lines = [line for line in ran.stderr.decode().splitlines() if line.startswith("segedge_camera: ")]
    assert ran.returncode == 1, ran.stderr.decode()
    return lines[-1]


@pytest.mark.parametrize("fourcc", [*PLANAR, *PACKED, "YUYV"])
def test_frames_of_every_format_are_the_bindings(fourcc: str, board: Board, bgrs: list[Bytes], int8: Native) -> None:
    frames = [laid(fourcc, bgr) for bgr in bgrs[:3]]
    ran = board.camera(frames, fourcc=fourcc)
    check_same(ran, wanted(int8, frames))
    assert f"{WIDTH}x{HEIGHT} {fourcc}\n" in ran.stderr.decode()
    assert board.log == ["streamoff", *["munmap"] * 4, "close"]


@pytest.mark.parametrize(
    ("quantization", "encoding", "flags"),
    [(FULL, BT601, " full"), (FULL, BT709, " full bt709"), (LIMITED, BT709, " bt709"), (0, 0, "")],
)
def test_what_the_driver_says_about_colours_is_done(
    quantization: int, encoding: int, flags: str, board: Board, bgrs: list[Bytes], int8: Native
) -> None:
    frame = laid("NV12", bgrs[0])
    shape = f"{WIDTH} {HEIGHT} {frame.stride} {len(frame.raw)} {quantization} {encoding}"
    told = [Laid(frame.raw, frame.planes, frame.kind + flags, frame.stride)]
    check_same(board.camera([frame], shape=shape), wanted(int8, told))


def test_colours_that_the_driver_does_not_say_are_given(board: Board, bgrs: list[Bytes], int8: Native) -> None:
    frame = laid("NV12", bgrs[0])
    told = [Laid(frame.raw, frame.planes, "nv12 full bt709", frame.stride)]
    ran = board.camera([frame], "--full-range", "--bt709")
    check_same(ran, wanted(int8, told))
    assert "NV12, BT.709, full range" in ran.stderr.decode()


@pytest.mark.parametrize(
    ("burst", "taken"), [(2, [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23]), (6, [9, 21])], ids=["slow", "very-slow"]
)
def test_of_the_frames_that_came_meanwhile_the_newest_is_taken(
    burst: int, taken: list[int], board: Board, bgrs: list[Bytes], int8: Native
) -> None:
    """Twice as slow as the camera; and so slow that all four buffers are full, so that a newer one is waited for."""
    frames = [laid("NV12", bgr) for bgr in bgrs]
    ran = board.camera(frames, burst=str(burst))
    check_same(ran, wanted(int8, [frames[k] for k in taken]))
    assert f" {taken[-1] - taken[0] - len(taken) + 1} dropped" in ran.stderr.decode()


@pytest.mark.parametrize("odd", ["damaged", "short", "again"])
def test_damaged_frames_are_passed_over_and_interrupted_calls_repeated(
    odd: str, board: Board, bgrs: list[Bytes], int8: Native
) -> None:
    frames = [laid("YUYV", bgr) for bgr in bgrs[:3]]
    check_same(board.camera(frames, fourcc="YUYV", odd=odd), wanted(int8, frames[odd != "again" :]))


def test_the_first_format_that_the_core_takes_is_chosen(board: Board, bgrs: list[Bytes], int8: Native) -> None:
    frame = laid("NV12", bgrs[0])
    check_same(board.camera([frame], formats="YUYV,MJPG,NV12"), wanted(int8, [frame]))


FAILURES: dict[str, tuple[dict[str, str], str]] = {
    "compressed": ({"formats": "MJPG"}, "gives MJPG, expected one of NV12, .* let ffmpeg read the camera"),
    "bayer": ({"formats": "pRAA"}, "gives pRAA, expected one of NV12, .*; take --stdin"),
    "nothing": ({"formats": ""}, "gives nothing, expected"),
    "another": ({"odd": "another"}, "gives MJPG, NV12, expected"),
    "busy": ({"odd": "busy"}, "takes no format: .*; another program uses it"),
    "bare": ({"odd": "bare"}, "does not start .*libcamerify.*: Invalid argument"),
    "small": ({"odd": "small"}, "gives buffers of 1 bytes, expected the 91848 of a frame"),
    "unplugged": ({"end": "unplugged"}, "gives no frame: No such device; was it unplugged"),
    "stopped": ({"end": "stopped"}, "stopped; was it unplugged"),
    "silent": ({"end": "silent"}, "no frame within 5 seconds"),
    "row": ({"shape": "320 178 319 99999 2 1"}, "gives 320x178 in rows of 319 bytes, expected at least 320"),
    "size": ({"shape": "0 178 320 99999 2 1"}, "gives 0x178"),
}


@each_case("case", FAILURES)
def test_what_a_camera_does_wrong_is_said_in_one_line(
    case: tuple[dict[str, str], str], board: Board, bgrs: list[Bytes]
) -> None:
    fakes, expected = case
    assert re.search(expected, says(board.camera([laid("NV12", bgrs[0])], **fakes)))
    assert board.log[-1] == "close"


def test_a_device_that_is_none_is_said(board: Board) -> None:
    assert "none: cannot be opened: No such file" in says(board.run(["--device", str(board.folder / "none")]))
    assert "/dev/null: is no camera: " in says(board.run(["--device", "/dev/null"]))


@pytest.mark.parametrize(("name", "size"), [("NV12", (179, 319)), ("I420", (179, 319)), ("YUYV", (178, 320))])
def test_frames_of_standard_input_are_the_bindings(
    name: str, size: tuple[int, int], board: Board, photo: Bytes, int8: Native
) -> None:
    frames = [laid({"I420": "YU12"}.get(name, name), photo[: size[0], : size[1]], 0)]
    words = ["--stdin", name, "--size", f"{size[1]}x{size[0]}"]
    check_same(board.run(words, given=frames[0].raw), wanted(int8, frames))
    assert "ends after 99 bytes of a frame" in says(board.run(words, given=(frames[0].raw + bytes(99))))


def test_a_picture_is_the_background(board: Board, bgrs: list[Bytes], photo: Bytes, int8: Native) -> None:
    picture = np.ascontiguousarray(photo[::-1, 40:])
    cv2.imwrite(str(board.folder / "b.ppm"), picture)
    frames = [laid("NV12", bgr) for bgr in bgrs[:4]]
    ran = board.camera(frames, "--frames", "2", "--background", str(board.folder / "b.ppm"))
    check_same(ran, wanted(int8, frames[:2], picture))
    (board.folder / "cut.ppm").write_bytes((board.folder / "b.ppm").read_bytes()[:-1])
    for background in ("cut.ppm", "none.ppm", "red"):
        words = ["--background", str(board.folder / background)]
        assert f"{background}: is neither a colour" in says(board.camera(frames, *words))
    check_same(board.camera(frames, "-n1", "-b", "0A80ff"), wanted(int8, frames[:1], (255, 128, 10)))


def test_words_that_it_does_not_know_end_with_its_usage(board: Board) -> None:
    for words in (["--size", "640"], ["--size", "0x4"], ["--frames", "many"], ["--what"], [str(MODEL)]):
        ran = board.run(words)
        assert (ran.returncode, b"usage: segedge_camera" in ran.stderr) == (2, True), words
    assert "--stdin: got H264, expected one of NV12" in says(board.run(["--stdin", "H264"]))
    assert "expected an even width" in says(board.run(["--stdin", "YUYV", "--size", "319x178"]))


def test_a_viewer_that_is_closed_ends_it(board: Board, bgrs: list[Bytes]) -> None:
    frame = laid("NV12", bgrs[0])
    words = [str(board.program), "--stdin", "NV12", "--size", f"{WIDTH}x{HEIGHT}", str(MODEL)]
    environment = {**os.environ, "SEGEDGE_LITERT": str(board.litert)}
    ours, viewers = os.pipe()
    os.close(ours)
    with os.fdopen(viewers, "wb") as closed:
        ran = subprocess.run(
            words, env=environment, input=frame.raw, stdout=closed, stderr=subprocess.PIPE, check=False, timeout=60
        )
    assert ran.returncode == 0
    assert b"segedge_camera: 0 frames" in ran.stderr
