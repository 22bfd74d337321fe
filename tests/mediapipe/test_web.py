"""MediaPipe's ImageSegmenter for the web, in a headless Chromium, with the files that segexport writes."""

from __future__ import annotations

import functools
import http.server
import json
import logging
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from segruntime import load

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1] / ".venv-mediapipe" / "node_modules" / "@mediapipe" / "tasks-vision"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SOFTWARE_GL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
LIMIT_S = 240.0
LEAST_IOU = 0.995
LOG = logging.getLogger(__name__)
HEADS = {"person": 0, "two-channel": 1}
CASES = [(head, precision, "CPU") for head in HEADS for precision in ("float32", "int8")]
CASES += [("two-channel", "float32", "GPU")]  # with every operator of the other; emulated, it takes seconds a picture


class Page(http.server.SimpleHTTPRequestHandler):
    """The folder's files, and a place for results; the page has nothing else to ask."""

    extensions_map = {  # noqa: RUF012 - as the base has it
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def __init__(self, *words: Any, results: dict[str, bytes], done: threading.Event, **named: Any) -> None:
        self.results, self.done = results, done
        super().__init__(*words, **named)

    def do_POST(self) -> None:
        self.results[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        if self.path == "/done":
            self.done.set()

    def log_message(self, *_: object) -> None:
        """Quiet."""


def browser() -> str:
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    return found


@pytest.fixture(scope="module")
def cases(export: Callable[[str], Path]) -> dict[str, Path]:
    paths = {"-".join(case): export(case[0]) / f"mobile_unet_{case[1]}.tflite" for case in CASES}
    return {name: path for name, path in paths.items() if load(path).contract.input.dtype in ("float32", "uint8")}


@pytest.fixture(scope="module")
def frames(portraits: list[Path]) -> dict[str, npt.NDArray[np.uint8]]:
    """The portraits as they are, and at the network's size."""
    whole = {f"whole{k}.png": np.asarray(cv2.imread(str(path)), np.uint8) for k, path in enumerate(portraits)}
    small = {
        name.replace("whole", "small"): np.asarray(cv2.resize(frame, (256, 256)), np.uint8)
        for name, frame in whole.items()
    }
    return {**whole, **small}


@pytest.fixture(scope="module")
def answers(
    cases: dict[str, Path], frames: dict[str, npt.NDArray[np.uint8]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, bytes]]:
    """What the page said: path → body."""
    if not PACKAGE.is_dir():
        pytest.skip("@mediapipe/tasks-vision is not installed: make mediapipe-test installs it where npm is there")
    program, folder = browser(), tmp_path_factory.mktemp("web")
    (folder / "package").symlink_to(PACKAGE)
    shutil.copy(HERE / "page.html", folder / "index.html")
    for name, frame in frames.items():
        cv2.imwrite(str(folder / name), frame)
    for name, path in cases.items():
        shutil.copy(path, folder / f"{name}.tflite")
    (folder / "jobs.json").write_text(json.dumps({"models": [job(name) for name in cases], "pictures": list(frames)}))
    results: dict[str, bytes] = {}
    done = threading.Event()
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Page, results=results, done=done, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    words = ["--headless=new", "--disable-background-networking", f"--user-data-dir={folder / 'profile'}", *SOFTWARE_GL]
    words += ["--no-sandbox"] if os.getuid() == 0 else []
    address = f"http://127.0.0.1:{server.server_port}/"
    try:
        with (folder / "browser.log").open("w") as log:
            running = subprocess.Popen([program, *words, address], stdout=log, stderr=log)
            try:
                assert done.wait(LIMIT_S), (folder / "browser.log").read_text()[-2000:]
            finally:
                running.terminate()
                running.wait(20)
        yield results
    finally:
        server.shutdown()
        server.server_close()


def job(name: str) -> dict[str, Any]:
    head, delegate = name.rsplit("-", 2)[0], name.rsplit("-", 1)[1]
    return {"name": name, "model": f"{name}.tflite", "delegate": delegate, "person": HEADS[head]}


def ious(name: str, which: str, cases: dict[str, Path], frames: Any, answers: dict[str, bytes]) -> list[float]:
    ours, found = load(cases[name]), []
    for picture, frame in frames.items():
        if picture.startswith(which):
            alpha = ours.alpha(frame)
            mask = np.frombuffer(answers[f"/result/{name}/{picture}"], np.float32).reshape(alpha.shape)
            a, b = alpha > 0.5, mask > 0.5
            found.append(float((a & b).sum() / (a | b).sum()))
    return found


@pytest.fixture(params=["-".join(case) for case in CASES])
def case(request: pytest.FixtureRequest, cases: dict[str, Path], answers: dict[str, bytes]) -> str:
    name: str = request.param
    if name not in cases:
        pytest.skip("this segexport's int8 files take int8; MediaPipe takes float32 and uint8")
    assert "error" not in json.loads(answers["/done"]), answers["/done"].decode()
    return name


def test_each_mask_is_the_runtimes_where_mediapipe_has_nothing_to_resize(
    case: str, cases: dict[str, Path], frames: Any, answers: dict[str, bytes]
) -> None:
    assert min(ious(case, "small", cases, frames, answers)) >= LEAST_IOU


def test_as_they_are_pictures_give_the_runtimes_mask_on_the_gpu_and_nearly_on_the_cpu(
    case: str, cases: dict[str, Path], frames: Any, answers: dict[str, bytes]
) -> None:
    found = ious(case, "whole", cases, frames, answers)
    LOG.info("%s: mean IoU as they are %.4f, least %.4f", case, np.mean(found), min(found))
    assert np.mean(found) >= (LEAST_IOU if case.endswith("GPU") else 0.985)


def test_labels_and_category_mask_are_as_in_python(case: str, answers: dict[str, bytes]) -> None:
    seen = json.loads(answers["/done"])[case]
    two = case.startswith("two-channel")
    assert seen["labels"] == (["background", "person"] if two else ["person"])
    assert (seen["person"], seen["elsewhere"]) == (([1], [0]) if two else ([0], [255]))
