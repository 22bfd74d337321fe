"""The camera program on a video file and on a camera that is not there: what it writes plays and shows another background."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests.places import ROOT

Example = Callable[[str], ModuleType]
PROGRAM = ROOT / "examples" / "camera.py"
GREEN = np.array([0, 160, 0])


def video(path: Path, frames: list[npt.NDArray[np.uint8]]) -> str:
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return str(path)


def frames_of(path: Path) -> list[npt.NDArray[Any]]:
    capture, frames = cv2.VideoCapture(str(path)), []
    while (frame := capture.read()[1]) is not None:
        frames.append(frame)
    capture.release()
    return frames


def drawn(count: int) -> list[npt.NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(count)]


class Camera:
    """A camera of so many frames; then it is unplugged, or the user presses Ctrl-C."""

    def __init__(self, frames: list[npt.NDArray[np.uint8]], at_the_end: type[BaseException] | None = None) -> None:
        self.left = list(frames)
        self.at_the_end = at_the_end
        self.released = False

    def isOpened(self) -> bool:
        return True

    def read(self) -> tuple[bool, npt.NDArray[np.uint8] | None]:
        if self.left:
            return True, self.left.pop(0)
        if self.at_the_end:
            raise self.at_the_end
        return False, None

    def release(self) -> None:
        self.released = True


def test_the_person_stays_and_the_background_becomes_green(
    example: Example, portrait: tuple[Path, npt.NDArray[np.bool_]], tmp_path: Path
) -> None:
    path, person = portrait
    frame = np.asarray(cv2.imread(str(path)), np.uint8)
    even = np.s_[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2]  # what mp4v wants
    frame, person = frame[even], person[even]
    target = tmp_path / "out.mp4"
    example("camera").main(["--camera", video(tmp_path / "in.avi", [frame] * 3), "--output", str(target)])
    written = frames_of(target)
    assert len(written) == 3
    assert written[-1].shape == frame.shape
    inside = cv2.erode(person.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    outside = cv2.dilate(person.astype(np.uint8), np.ones((41, 41), np.uint8)) == 0
    # mp4v at its default rate blurs single pixels; the mean does not hide a wrong mask
    assert np.abs(written[-1][inside].astype(int) - frame[inside]).mean() < 15
    assert np.abs(written[-1][outside].astype(int) - GREEN).mean() < 15


@pytest.mark.parametrize("end", [None, KeyboardInterrupt])
def test_unplugged_or_ctrl_c_leaves_a_video_that_plays(
    example: Example,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    end: type[BaseException] | None,
) -> None:
    program, camera = example("camera"), Camera(drawn(4), end)
    with monkeypatch.context() as patch:
        patch.setattr(cv2, "VideoCapture", lambda source: camera)
        program.main(["--camera", "0", "--output", str(tmp_path / "out.mp4")])
    assert capsys.readouterr().out == "4 frames\n"
    assert camera.released
    assert len(frames_of(tmp_path / "out.mp4")) == 4


def test_q_ends_the_window(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    program, camera = example("camera"), Camera(drawn(5))
    keys, shown = [-1, ord("x"), ord("q")], []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "VideoCapture", lambda source: camera)
    monkeypatch.setattr(cv2, "imshow", lambda title, picture: shown.append(picture.shape))
    monkeypatch.setattr(cv2, "waitKey", lambda milliseconds: keys.pop(0))
    program.main([])
    assert shown == [(48, 64, 3)] * 3
    assert len(camera.left) == 2
    assert camera.released


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--camera", "97", "--output", "x.mp4"], "camera 97: cannot be opened; is it plugged in"),
        (["--camera", "none.avi", "--output", "x.mp4"], "camera none.avi: cannot be opened; is it plugged in"),
        (["--background", "none.jpg", "--output", "x.mp4"], "none.jpg: no picture that OpenCV can read"),
        ([], "no screen here to show a window on; write a file: --output me.mp4"),
    ],
)
def test_what_cannot_be_is_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=environment, timeout=300,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def test_an_output_that_cannot_be_written_is_one_line(example: Example, tmp_path: Path) -> None:
    target = tmp_path / "missing" / "out.mp4"
    source = video(tmp_path / "in.avi", drawn(2))
    with pytest.raises(SystemExit, match=r"out\.mp4: cannot be written; is the folder there"):
        example("camera").main(["--camera", source, "--output", str(target)])
