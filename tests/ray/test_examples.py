"""The two examples, as a stranger runs them, on three nodes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("ray", reason="Ray is not installed; make ray-test has an environment for it")

from tests.places import ROOT
from tests.ray.conftest import LIMIT_S, ThreeNodes, free_port, until

import segruntime
from segruntime.serve.stream import HEADER


def test_ray_data_writes_the_segmenters_masks_and_names_what_cannot_be_read(
    nodes: ThreeNodes, pictures: Path, tmp_path: Path
) -> None:
    (pictures / "deeper").mkdir()
    (pictures / "29.png").rename(pictures / "deeper" / "29.png")
    words = [str(pictures), "-o", str(tmp_path / "masks"), "--address", nodes.address]
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "ray_data.py"), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
        cwd=tmp_path,
    )
    assert done.returncode == 1, done.stderr
    said = dict(line.split(": ") for line in done.stdout.splitlines() if ".png: " in line)
    assert said.pop("broken.png") == "cannot be read, skipped"
    assert len(said) == 30
    made = {str(path.relative_to(tmp_path / "masks")) for path in (tmp_path / "masks").rglob("*") if path.is_file()}
    assert made == {f"{name}.png" for name in said}
    segmenter = segruntime.load(threads=1)
    for name in ("00.png", "deeper/29.png"):
        alpha = segmenter.alpha(np.asarray(cv2.imread(str(pictures / name)), np.uint8))
        mask = cv2.imread(str(tmp_path / "masks" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(mask, np.rint(alpha * 255).astype(np.uint8))
        assert said[name] == f"{alpha.mean():.1%} person"


@contextmanager
def served(nodes: ThreeNodes, folder: Path) -> Iterator[str]:
    """Address of the running example, without a scheme."""
    port = free_port()
    words = ["--address", nodes.address, "--port", str(port), "--fewest", "2", "--most", "2"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "examples" / "ray_serve.py"), *words], stdout=log, stderr=log, cwd=folder
        )
        try:
            until(lambda: process.poll() is not None or is_ready(f"127.0.0.1:{port}"), "it answers")
            assert process.poll() is None, (folder / "log").read_text()
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(LIMIT_S)


def asked(address: str, path: str, picture: bytes | None = None) -> tuple[int, bytes]:
    """Status and content."""
    with closing(HTTPConnection(address, timeout=LIMIT_S)) as connection:
        connection.request("POST" if picture else "GET", path, picture)
        answer = connection.getresponse()
        return answer.status, answer.read()


def is_ready(address: str) -> bool:
    try:
        return asked(address, "/health")[0] == 200
    except OSError:
        return False


def mask_over_http(address: str, picture: bytes) -> Any:
    status, png = asked(address, "/v1/mask", picture)
    assert status == 200, png
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)


def test_ray_serve_answers_as_the_service_does_and_a_socket_keeps_its_replica(
    nodes: ThreeNodes, pictures: Path, tmp_path: Path
) -> None:
    from websockets.sync.client import connect

    picture = (pictures / "00.png").read_bytes()
    with served(nodes, tmp_path) as address:
        pixels = np.asarray(cv2.imread(str(pictures / "00.png")), np.uint8)
        alpha = segruntime.load(threads=1).alpha(pixels)
        np.testing.assert_array_equal(mask_over_http(address, picture), np.rint(alpha * 255).astype(np.uint8))
        with connect(f"ws://{address}/v1/stream", open_timeout=LIMIT_S) as socket:
            for number in range(1, 6):
                mask_over_http(address, picture)  # replicas take turns at these
                socket.send(picture)
                reply = socket.recv(LIMIT_S)
                assert HEADER.unpack(reply[: HEADER.size]) == (number, 0, 64, 48)
