"""The frame server through FastAPI's own client: real masks, many requests at once, and what it refuses."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

import segruntime
from segruntime.agreement import mask_iou

HTTPException = pytest.importorskip("fastapi", reason="the frame server needs fastapi").HTTPException
ROOT = Path(__file__).parents[2]


@pytest.fixture
def server(example: Callable[[str], ModuleType]) -> ModuleType:
    return example("frame_server")


@pytest.fixture
def client(server: ModuleType) -> Iterator[Any]:
    with warnings.catch_warnings():
        # starlette 1.x prefers httpx2, which Python 3.10 cannot have
        warnings.simplefilter("ignore")
        from fastapi.testclient import TestClient
    with TestClient(server.app) as client:
        yield client


def encoded(frame: npt.NDArray[np.uint8], ending: str = ".png") -> bytes:
    return bytes(cv2.imencode(ending, frame)[1])


def picture_in(response: Any) -> npt.NDArray[Any]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/png"
    picture = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return picture


def noise(seed: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 100 + 20 * seed, (40 + seed, 50, 3), dtype=np.uint8)


def test_a_portrait_comes_back_as_its_person_on_nothing(
    client: Any, portrait: tuple[Path, npt.NDArray[np.bool_]]
) -> None:
    path, person = portrait
    cutout = picture_in(client.post("/cutout", content=path.read_bytes()))
    np.testing.assert_array_equal(cutout[..., :3], cv2.imread(str(path)))
    assert mask_iou(cutout[..., 3] > 127, person) > 0.9
    np.testing.assert_array_equal(picture_in(client.post("/alpha", content=path.read_bytes())), cutout[..., 3])


def test_requests_at_once_get_each_its_own_mask(client: Any) -> None:
    segmenter = segruntime.load()
    frames = [noise(seed) for seed in range(6)]
    with ThreadPoolExecutor(6) as pool:
        responses = list(pool.map(lambda frame: client.post("/alpha", content=encoded(frame)), frames * 3))
    for response, frame in zip(responses, frames * 3, strict=True):
        expected = cv2.convertScaleAbs(segmenter.alpha(frame), alpha=255)
        np.testing.assert_array_equal(picture_in(response), expected)


@pytest.mark.parametrize("body", [b"", b"no picture", b"\xff\xd8\xff\xe0", encoded(noise(1))[:30]])
def test_a_corrupt_picture_is_400_and_one_line(client: Any, body: bytes) -> None:
    response = client.post("/cutout", content=body)
    assert response.status_code == 400
    detail = response.json()["detail"]
    assert detail.startswith(f"picture: got {len(body)} bytes that OpenCV cannot read")
    assert "\n" not in detail


def test_a_body_over_the_limit_is_413(client: Any, server: ModuleType) -> None:
    response = client.post("/cutout", content=bytes(server.MAX_BYTES + 1))
    assert response.status_code == 413
    assert response.json()["detail"] == f"picture: more than {server.MAX_BYTES} bytes; send a smaller one"


def test_the_limit_itself_is_taken(client: Any, server: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    body = encoded(noise(1))
    monkeypatch.setattr(server, "MAX_BYTES", len(body))
    assert client.post("/alpha", content=body).status_code == 200
    assert client.post("/alpha", content=body + b"\0").status_code == 413


class Upload:
    """A request whose body never ends; it counts what was asked of it."""

    taken = 0

    async def stream(self) -> AsyncIterator[bytes]:
        while True:
            self.taken += 1024 * 1024
            yield bytes(1024 * 1024)


def test_a_body_without_end_is_read_to_the_limit_and_no_further(server: ModuleType) -> None:
    upload = Upload()
    with pytest.raises(HTTPException) as caught:
        asyncio.run(server.received(upload))
    assert caught.value.status_code == 413
    assert upload.taken == server.MAX_BYTES + 1024 * 1024


BOMB = """
import frame_server, zlib, struct, fastapi, pytest
chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
def png(width, height, data=b""):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
assert frame_server.decoded(png(3, 2, bytes(8))).shape == (2, 3, 3)
with pytest.raises(fastapi.HTTPException, match="more than 24000000 pixels") as caught:
    frame_server.decoded(png(30_000, 30_000))
assert caught.value.status_code == 400
from segbench.machine import peak_memory_bytes
print(peak_memory_bytes() // 2**20)
"""


def test_a_small_file_that_declares_gigapixels_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": ":".join([str(ROOT / "examples"), *(path for path in sys.path if path)])}
    done = subprocess.run(
        [sys.executable, "-c", BOMB], capture_output=True, text=True, check=False, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 900  # MB; the picture would be 2,700
