"""The programs for the runtime in README.md and docs/, run as they stand: cameras are stand-ins, masks are real."""

from __future__ import annotations

import re
import shutil
import sys
import warnings
from importlib.util import find_spec
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests.places import ROOT

import segruntime
from segruntime.measures.agreement import mask_iou

Image = npt.NDArray[np.uint8]
Portrait = tuple[Path, npt.NDArray[np.bool_]]
refined = pytest.mark.skipif(find_spec("segruntime.refine") is None, reason="segruntime.refine is not here yet")


def programs(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def program(page: str, word: str) -> str:
    """The one program of the page that has the word in it."""
    (found,) = [text for text in programs(ROOT / page) if word in text]
    return found


def run(text: str, **names: Any) -> dict[str, Any]:
    names |= {"__name__": "documented"}
    exec(compile(text, "documented", "exec"), names)  # noqa: S102 the text is ours
    return names


class Window:
    """What the program shows; after so many pictures the user presses q."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, pictures: int) -> None:
        self.shown: list[Image] = []
        self.pictures = pictures
        monkeypatch.setattr(cv2, "imshow", lambda title, picture: self.shown.append(picture.copy()))
        monkeypatch.setattr(cv2, "waitKey", lambda wait: ord("q") if len(self.shown) >= self.pictures else -1)


def check_replaced(picture: Image, frame: Image, background: Image, person: npt.NDArray[np.bool_]) -> None:
    """Well inside the person the frame, well outside the background."""
    inside = cv2.erode(person.astype(np.uint8), np.ones((31, 31), np.uint8)) > 0
    outside = cv2.dilate(person.astype(np.uint8), np.ones((61, 61), np.uint8)) == 0
    assert inside.sum() > 1000
    assert outside.sum() > 1000
    assert np.abs(picture[inside].astype(int) - frame[inside]).mean() < 4
    assert np.abs(picture[outside].astype(int) - background[outside]).mean() < 4


@pytest.fixture
def scene(portrait: Portrait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Image, npt.NDArray[np.bool_]]:
    """A portrait at 720x576 and its person, with `beach.jpg` of the same size in the working directory."""
    path, person = portrait
    monkeypatch.chdir(tmp_path)
    assert cv2.imwrite("beach.jpg", np.full((576, 720, 3), (200, 120, 20), np.uint8))
    frame = cv2.resize(np.asarray(cv2.imread(str(path))), (720, 576), interpolation=cv2.INTER_AREA)
    mask = cv2.resize(person.astype(np.uint8), (720, 576), interpolation=cv2.INTER_NEAREST)
    return np.asarray(frame, np.uint8), np.asarray(mask > 0)


def test_every_program_is_run_by_a_test() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    counts = {page.relative_to(ROOT).as_posix(): len(programs(page)) for page in pages if programs(page)}
    # test_documented….py, tests/mediapipe
    elsewhere = {f"docs/{name}.md" for name in ("adding-an-architecture", "mediapipe", "python", "serve")}
    here = {
        "README.md": 1,
        "docs/embedding.md": 4,
        "docs/raspberry-pi.md": 1,
        "docs/refinement.md": 1,
        "docs/runtime.md": 1,
        "docs/segrun.md": 1,
    }
    assert {page: count for page, count in counts.items() if page not in elsewhere} == here


@pytest.mark.parametrize(
    ("page", "model"), [("README.md", "ckpt_export/ckpt_int8.tflite"), ("docs/runtime.md", "mobile_unet_int8.tflite")]
)
def test_the_first_programs_replace_the_background_of_a_picture(scene: Any, page: str, model: str) -> None:
    frame, person = scene
    Path(model).parent.mkdir(exist_ok=True)
    shutil.copyfile(segruntime.load().path, model)
    cv2.imwrite("me.jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 100])
    run(program(page, "me.jpg"))
    background = cv2.imread("beach.jpg") if page == "README.md" else np.full(frame.shape, (0, 200, 0), np.uint8)
    check_replaced(np.asarray(cv2.imread("out.png"), np.uint8), frame, np.asarray(background, np.uint8), person)


def test_the_refined_alpha_is_of_the_frames_size(scene: Any) -> None:
    frame, person = scene
    names = {"Refiner": segruntime.Refiner, "cv2": cv2, "frame": frame, "segmenter": segruntime.load()}
    alpha = run(program("docs/refinement.md", "Refiner"), **names)["alpha"]
    assert (alpha.shape, alpha.dtype) == (person.shape, np.uint8)
    assert mask_iou(alpha > 127, person) > 0.9


@refined
def test_the_camera_program_replaces_the_background(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    frame, person = scene
    window = Window(monkeypatch, 3)

    class Camera:
        def __init__(self, number: int) -> None:
            assert number == 0

        def read(self) -> tuple[bool, Image]:
            return True, frame.copy()

        def release(self) -> None:
            pass

    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    run(program("docs/embedding.md", "cv2.VideoCapture"))
    assert len(window.shown) == 3
    check_replaced(window.shown[-1], frame, np.asarray(cv2.imread("beach.jpg"), np.uint8), person)


@refined
def test_the_picamera2_program_takes_the_mask_from_the_small_stream(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, person = scene
    window = Window(monkeypatch, 2)
    asked: dict[str, Any] = {}

    class Picamera2:
        """Arrays laid out as picamera2's `make_array` does: RGB888 is BGR, YUV420 is `(h * 3 / 2, w)`."""

        def __enter__(self) -> Picamera2:
            return self

        def __exit__(self, *error: object) -> None:
            asked["closed"] = True

        def create_video_configuration(self, main: Any, lores: Any) -> dict[str, Any]:
            return {"main": main, "lores": lores}

        def configure(self, configuration: dict[str, Any]) -> None:
            asked.update(configuration)

        def start(self) -> None:
            asked["started"] = True

        def capture_arrays(self, names: list[str]) -> tuple[list[Image], dict[str, Any]]:
            assert names == ["main", "lores"]
            assert asked["started"]
            small = cv2.resize(frame, asked["lores"]["size"], interpolation=cv2.INTER_AREA)
            return [frame.copy(), np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2YUV_I420), np.uint8)], {}

    module = ModuleType("picamera2")
    module.Picamera2 = Picamera2  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)
    run(program("docs/raspberry-pi.md", "Picamera2"))
    assert asked["main"]["format"] == "RGB888"
    assert asked["lores"]["format"] == "YUV420"
    assert asked["lores"]["size"][0] % 64 == 0
    assert asked["closed"]
    check_replaced(window.shown[-1], frame, np.asarray(cv2.imread("beach.jpg"), np.uint8), person)


def test_the_video_program_writes_every_frame_at_its_time(scene: Any) -> None:
    av = pytest.importorskip("av", reason="the video program needs PyAV")
    frame, person = scene
    times = [0, 1, 2, 4, 7, 8]
    with av.open("in.mp4", "w") as target:
        video = target.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 720, 576, "yuv420p"
        for pts in times:
            made = av.VideoFrame.from_ndarray(frame, format="bgr24")
            made.pts = pts
            target.mux(video.encode(made))
        target.mux(video.encode(None))
    run(program("docs/embedding.md", "av.open"))
    with av.open("out.mp4") as written:
        stream = written.streams.video[0]
        frames = [
            (round(float(one.pts * stream.time_base) * 25), one.to_ndarray(format="bgr24"))
            for one in written.decode(stream)
        ]
    assert [time for time, _ in frames] == times
    background = np.full(frame.shape, (0, 160, 0), np.uint8)
    inside = cv2.erode(person.astype(np.uint8), np.ones((31, 31), np.uint8)) > 0
    outside = cv2.dilate(person.astype(np.uint8), np.ones((61, 61), np.uint8)) == 0
    last = frames[-1][1].astype(int)
    assert np.abs(last[inside] - frame[inside]).mean() < 12
    assert np.abs(last[outside] - background[outside]).mean() < 12


def test_the_server_program_answers_with_the_mask_or_400(portrait: Portrait) -> None:
    pytest.importorskip("fastapi", reason="the server program needs fastapi")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # starlette 1.x prefers httpx2, which Python 3.10 cannot have
        from fastapi.testclient import TestClient
    path, person = portrait
    headers = {"content-type": "image/jpeg"}
    with TestClient(run(program("docs/embedding.md", "FastAPI"))["app"]) as client:
        answer = client.post("/alpha", content=path.read_bytes(), headers=headers)
        assert answer.headers["content-type"] == "image/png"
        mask = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
        assert mask_iou(np.asarray(mask) > 127, person) > 0.9
        refused = client.post("/alpha", content=b"no picture", headers=headers)
        assert refused.status_code == 400
        assert refused.json()["detail"] == "the body is no picture that OpenCV can read"


def test_the_program_of_a_job_does_a_folder(scene: Any, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("av", reason="a job asks for PyAV where there are videos")
    frame, _ = scene
    Path("recordings").mkdir()
    assert cv2.imwrite("recordings/me.png", frame)
    summary = run(program("docs/segrun.md", "run_job"))["summary"]
    assert (summary.exit_code, summary.progress.finished) == (0, 1)
    assert capsys.readouterr().out.startswith("1 of 1 done")
    assert cv2.imread("out/me.png") is not None


def test_the_shared_memory_program_gives_the_mask_of_what_lies_there(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    memory = SharedMemory(create=True, size=frame.nbytes)
    try:
        view: Image = np.ndarray(frame.shape, np.uint8, memory.buf)
        view[:] = frame
        text = program("docs/embedding.md", "SharedMemory").replace('"camera"', repr(memory.name))
        np.testing.assert_array_equal(run(text)["alpha"], segruntime.load().alpha(frame))
        del view
    finally:
        memory.close()
        memory.unlink()
