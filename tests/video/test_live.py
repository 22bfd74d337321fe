"""Cameras, virtual cameras and the window, each replaced by one that the test plays."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from tests import messages
from tests.video.child import until
from tests.video.clips import Frame, frames, make, person, planes, times

from segruntime.cli import main
from segruntime.errors import MissingExtraError, OptionError, OutputError, VideoError, install_command
from segruntime.run.live import camera as camera_module
from segruntime.run.live import sinks
from segruntime.run.live.sinks import Pace
from segruntime.run.statistics import Statistics

Run = Callable[..., Statistics]
Refuses = Callable[..., None]


class Clock:
    """In the place of the module `time`: goes on where somebody sleeps, and else stands still."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


class Camera:
    """`cv2.VideoCapture` of a camera that gives `pictures`, one every 1/8 s of its `clock`, and is then unplugged.

    `taken` is called before each, with the count of those that were given.
    """

    def __init__(self, pictures: list[Frame], taken: Callable[[int], None] = lambda _: None) -> None:
        self.pictures, self.taken, self.rate = list(pictures), taken, 30.0
        self.clock, self.given = Clock(), 0
        self.asked: dict[int, float] = {}
        self.released = False

    def isOpened(self) -> bool:
        return True

    def set(self, what: int, value: float) -> bool:
        self.asked[what] = value
        return True

    def get(self, what: int) -> float:
        return self.rate if what == cv2.CAP_PROP_FPS else 0.0

    def read(self) -> tuple[bool, Frame | None]:
        self.taken(self.given)
        self.given += 1
        self.clock.sleep(1 / 8)
        return (True, self.pictures.pop(0)) if self.pictures else (False, None)

    def release(self) -> None:
        self.released = True


Plug = Callable[[Camera], Camera]


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Plug:
    def plug_in(camera: Camera) -> Camera:
        monkeypatch.setattr(camera_module.cv2, "VideoCapture", lambda *_: camera)
        monkeypatch.setattr(camera_module, "time", camera.clock)
        return camera

    return plug_in


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What OpenCV's window was shown, and the keys that will be pressed."""
    seen = SimpleNamespace(shown=[], keys=[], open=0)
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setattr(cv2, "namedWindow", lambda *_: setattr(seen, "open", seen.open + 1))
    monkeypatch.setattr(cv2, "destroyWindow", lambda *_: setattr(seen, "open", seen.open - 1))
    monkeypatch.setattr(cv2, "imshow", lambda _, image: seen.shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda _: seen.keys.pop(0) if seen.keys else -1)
    return seen


class VirtualCamera:
    """pyvirtualcam, as far as it is used."""

    PixelFormat = SimpleNamespace(I420="I420")

    def __init__(self, refuse: bool = False) -> None:
        self.clock = Clock()
        self.sent: list[Frame] = []
        self.words: dict[str, Any] = {}
        self.at_s: list[float] = []
        self.closed = 0
        self.refuse = refuse

    def Camera(self, **words: Any) -> VirtualCamera:
        if self.refuse:
            raise RuntimeError("'v4l2loopback' backend: No v4l2 loopback devices found!\nreally")
        self.words = words
        return self

    def send(self, buffer: Frame) -> None:
        assert buffer.dtype == np.uint8
        assert buffer.flags.c_contiguous
        assert buffer.size == self.words["width"] * self.words["height"] * 3 // 2
        self.sent.append(buffer.copy())
        self.at_s.append(self.clock.now)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def virtual(monkeypatch: pytest.MonkeyPatch) -> VirtualCamera:
    camera = VirtualCamera()
    monkeypatch.setitem(sys.modules, "pyvirtualcam", camera)
    monkeypatch.setattr(sinks, "time", camera.clock)
    return camera


def pictures(n: int, width: int = 160, height: int = 120) -> list[Frame]:
    return [person(width, height, i) for i in range(n)]


# ── camera ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_camera_that_is_unplugged_leaves_a_file_that_plays(
    everywhere: Any, plug: Plug, tmp_path: Path, segrun: Run
) -> None:
    """It gives each picture when the network has had the one before, so none is left out."""
    camera = plug(Camera(pictures(12), lambda given: until(lambda: everywhere.calls >= given)))
    statistics = segrun("0", tmp_path / "out.mp4", camera_size=(160, 120))
    assert camera.asked == {cv2.CAP_PROP_FRAME_WIDTH: 160, cv2.CAP_PROP_FRAME_HEIGHT: 120}
    assert camera.released
    assert statistics.unplugged
    assert (statistics.frames, statistics.dropped) == (12, 0)
    assert statistics.notes == [f"{messages.ENDS_EARLY} ({messages.UNPLUGGED}?); 12 frames were done"]
    assert times(tmp_path / "out.mp4") == [Fraction(i, 8) for i in range(12)]  # as they came


@pytest.mark.usefixtures("everywhere")
def test_the_colours_of_a_camera_are_kept(plug: Plug, tmp_path: Path, segrun: Run) -> None:
    colour = (200, 90, 60)
    plug(Camera([np.full((120, 160, 3), colour, np.uint8)] * 3))
    segrun("0", f"{tmp_path}/frames/")
    picture = cv2.imread(str(tmp_path / "frames" / "frame_000001.png"))
    assert picture is not None
    assert np.abs(picture.astype(int) - colour).max() <= 3


@pytest.mark.usefixtures("everywhere")
def test_a_camera_of_odd_size(plug: Plug, tmp_path: Path, segrun: Run) -> None:
    plug(Camera(pictures(3, 161, 121)))
    segrun("0", tmp_path / "out.mp4")
    assert (frames(tmp_path / "out.mp4")[0].width, frames(tmp_path / "out.mp4")[0].height) == (160, 120)


def test_of_a_fast_camera_the_newest_frame_wins(
    everywhere: Any, plug: Plug, tmp_path: Path, segrun: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network is at the first picture until the last one was given."""
    camera = plug(Camera(pictures(40)))
    mask = everywhere.mask

    def slow(*_: Any) -> Any:
        until(lambda: not camera.pictures)
        return mask.copy()

    monkeypatch.setattr(type(everywhere), "coarse", slow)
    statistics = segrun("0", tmp_path / "out.mp4")
    assert statistics.dropped >= 37
    assert statistics.frames + statistics.dropped == 40
    assert times(tmp_path / "out.mp4")[-1] == Fraction(39, 8)


def test_the_exit_code_of_an_unplugged_camera_is_one(plug: Plug, tmp_path: Path) -> None:
    plug(Camera(pictures(5)))
    done = CliRunner().invoke(main, ["0", "-o", str(tmp_path / "out.mp4"), "--threads", "1"])
    assert done.exit_code == 1
    assert f"{messages.UNPLUGGED}?" in done.stderr
    assert len(frames(tmp_path / "out.mp4")) >= 1


@pytest.mark.parametrize("device", ["7", "/dev/video7"])
def test_a_camera_that_is_not_there(device: str, tmp_path: Path, refuses: Refuses) -> None:
    if Path("/dev/video7").exists():
        pytest.skip("this machine has eight cameras")
    said = rf"camera {device}: gives no picture, expected a camera; check the cable, the number"
    refuses(VideoError, said, device, tmp_path / "out.mp4")


def test_a_camera_that_opens_and_gives_nothing(plug: Plug, tmp_path: Path, refuses: Refuses) -> None:
    camera = plug(Camera([]))
    refuses(VideoError, "camera 0: gives no picture", "0", tmp_path / "out.mp4")
    assert camera.released


# ── virtual camera ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("nowhere")
def test_camera_to_virtual_camera(virtual: VirtualCamera, plug: Plug, segrun: Run) -> None:
    plug(Camera(pictures(6)))
    statistics = segrun("0", "virtual-camera:/dev/video9", "green")
    assert virtual.words == {"width": 160, "height": 120, "fps": 30.0, "fmt": "I420", "device": "/dev/video9"}
    assert len(virtual.sent) == statistics.frames
    assert virtual.closed == 1
    for buffer in virtual.sent:
        bgr = cv2.cvtColor(buffer.reshape(180, 160), cv2.COLOR_YUV2BGR_I420)
        assert np.abs(bgr.astype(int) - (64, 177, 0)).max() <= 4


@pytest.mark.usefixtures("everywhere")
def test_a_video_goes_to_a_virtual_camera_in_its_own_time(virtual: VirtualCamera, tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mp4", frames=4)
    segrun(clip, "virtual-camera")
    assert (len(virtual.sent), virtual.closed) == (4, 1)
    assert np.diff(virtual.at_s) == pytest.approx([1 / 25] * 3)  # in the video's own time
    assert virtual.words["device"] is None
    for buffer, frame in zip(virtual.sent, frames(clip), strict=True):
        assert (buffer.reshape(-1) == np.concatenate([plane.reshape(-1) for plane in planes(frame)])).all()


def test_a_frame_that_comes_late_is_shown_at_once_and_the_next_one_in_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(sinks, "time", clock)
    pace = Pace(SimpleNamespace(is_live=False, time_base=Fraction(1, 8)))  # type: ignore[arg-type]
    shown = []
    for pts, work_s in ((50, 0.0), (51, 0.25), (52, 0.0), (53, 0.0)):
        clock.now += work_s
        pace.wait(pts)
        shown.append(clock.now - 100)
    assert shown == [0.0, 0.25, 0.25, 0.375]


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("size", [(161, 121), (161, 120), (160, 121), (162, 122)])
def test_a_video_of_odd_size_loses_a_line_in_a_virtual_camera(
    size: tuple[int, int], virtual: VirtualCamera, tmp_path: Path, segrun: Run
) -> None:
    clip = make(tmp_path / "in.mkv", frames=2, size=size, pixels="yuv444p")
    notes = segrun(clip, "virtual-camera").notes
    width, height = size[0] & ~1, size[1] & ~1
    assert any(f"became {width}x{height}: a virtual camera" in note for note in notes) == (size != (width, height))
    assert (virtual.words["width"], virtual.words["height"]) == (width, height)
    luma = virtual.sent[1].reshape(-1)[: width * height].reshape(height, width)
    assert np.abs(luma.astype(int) - planes(frames(clip)[1])[0][:height, :width]).max() <= 1


def test_a_virtual_camera_has_no_transparency(virtual: VirtualCamera, tmp_path: Path, refuses: Refuses) -> None:
    said = "a virtual camera has no transparency, got transparent; choose another"
    refuses(OptionError, said, make(tmp_path / "in.mp4", frames=1), "virtual-camera", "transparent")


@pytest.mark.parametrize(
    ("module", "error", "said"),
    [
        (None, MissingExtraError, re.escape(install_command("virtualcam"))),
        (
            VirtualCamera(refuse=True),
            OutputError,
            r"cannot be opened \('v4l2loopback' backend: No .* really\); .*sudo modprobe",
        ),
    ],
    ids=["no pyvirtualcam", "no such camera"],
)
def test_without_a_virtual_camera_it_is_said_how_to_make_one(
    module: object, error: type[Exception], said: str, tmp_path: Path, refuses: Refuses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", module)
    refuses(error, said, make(tmp_path / "in.mp4", frames=1), "virtual-camera")


# ── preview ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("key", [ord("q"), 27])
def test_a_key_ends_the_preview_and_leaves_a_file_that_plays(
    key: int, window: SimpleNamespace, tmp_path: Path, segrun: Run
) -> None:
    clip = make(tmp_path / "in.mp4", frames=60)
    window.keys = [-1, ord("x"), key]
    statistics = segrun(clip, tmp_path / "out.mp4", preview=True)
    assert 3 <= statistics.frames < 60
    assert statistics.notes == []
    assert len(frames(tmp_path / "out.mp4")) == statistics.frames
    assert len(window.shown) == statistics.frames
    assert window.open == 0


@pytest.mark.usefixtures("left")
@pytest.mark.parametrize("background", ["green", "transparent", "alpha"])
def test_a_preview_alone_needs_no_output(background: str, window: SimpleNamespace, tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mp4", frames=3, size=(1280, 720))
    assert segrun(clip, None, background, preview=True).frames == 3
    shown = window.shown[-1]
    assert shown.shape[:2] == (540, 960)
    if background == "green":
        assert np.abs(shown[:, 600:].astype(int) - (64, 177, 0)).max() <= 4
    if background == "alpha":
        assert shown[:, :360].min() > 250
        assert shown[:, 600:].max() < 5


@pytest.mark.usefixtures("everywhere")
def test_an_error_closes_the_window(
    window: SimpleNamespace, tmp_path: Path, segrun: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Iterator[None]:
        raise ZeroDivisionError

    monkeypatch.setattr(cv2, "imshow", broken)
    with pytest.raises(ZeroDivisionError):
        segrun(make(tmp_path / "in.mp4", frames=3), None, preview=True)
    assert window.open == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has machines that say so")
def test_a_machine_without_screen_refuses_a_preview(
    tmp_path: Path, refuses: Refuses, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    said = r"preview: no screen was found \(DISPLAY is not set\); leave --preview out"
    refuses(OutputError, said, make(tmp_path / "in.mp4", frames=3), tmp_path / "out.mp4", preview=True)


def test_an_opencv_without_windows_says_so(tmp_path: Path, refuses: Refuses, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any) -> None:
        raise cv2.error("The function is not implemented")

    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setattr(cv2, "namedWindow", none)
    said = r"preview: this OpenCV has no windows .*install opencv-python"
    refuses(OutputError, said, make(tmp_path / "in.mp4", frames=3), tmp_path / "out.mp4", preview=True)
