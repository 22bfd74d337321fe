"""The service on a port of this machine, on a thread of this process, for as long as a `with` block."""

# ruff: noqa: E402 - without the extra the tests are skipped before its modules are imported

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

import segruntime

for package in ("starlette", "uvicorn", "websockets", "prometheus_client"):
    pytest.importorskip(package, reason="the service needs the extra `serve`")

import uvicorn

from segruntime.serve.budget import Budget
from segruntime.serve.limits import Limits
from segruntime.serve.metrics import Metrics
from segruntime.serve.pool import Pool
from segruntime.serve.server import listen, make_server
from segruntime.serve.service import Service
from segruntime.serve.worker import Worker

Pixels = npt.NDArray[np.uint8]
TIMEOUT_S = 120  # of what comes at once, on a machine that has much else to do
LONG_S = 1000.0  # a limit that no test comes to but by `leap`


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        assert self.headers["content-type"] == "application/json"
        line = json.loads(self.body)["error"]
        assert isinstance(line, str)
        assert "\n" not in line
        return line

    @property
    def picture(self) -> Pixels:
        assert self.status == 200, self.body
        decoded = cv2.imdecode(np.frombuffer(self.body, np.uint8), cv2.IMREAD_UNCHANGED)
        assert decoded is not None
        return np.asarray(decoded, np.uint8)


class Running:
    """What a test does to a service, whose clock goes as a clock does, and in leaps besides."""

    def __init__(self, service: Service, port: int, server: uvicorn.Server) -> None:
        self.service, self.port, self.server = service, port, server
        self._loop = server.servers[0].get_loop()
        self._ahead_s = 0.0
        self._loop.time = lambda: time.monotonic() + self._ahead_s  # type: ignore[method-assign]

    def leap(self, seconds: float) -> None:
        """So much later; what had been sent before is read, and what is due by then is done."""
        asyncio.run_coroutine_threadsafe(self._leap(seconds), self._loop).result(TIMEOUT_S)

    async def _leap(self, seconds: float) -> None:
        self._ahead_s += seconds
        for _ in range(10):  # what is due, and what follows from it
            await asyncio.sleep(0)

    @property
    def connections(self) -> int:
        """How many are open on the side of the service."""
        return len(self.server.server_state.connections)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            reply = connection.getresponse()
            return Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self.ask("POST", path, body, **headers)

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S)

    def stream(self, query: str = "", **options: Any) -> Any:
        from websockets.sync.client import connect

        return connect(f"ws://127.0.0.1:{self.port}/v1/stream{query}", compression=None, proxy=None, **options)


def make_service(workers: list[Worker], backgrounds: dict[str, Pixels] | None = None, **limits: Any) -> Service:
    bounds = Limits(**limits)
    pool, budget = Pool(workers, bounds), Budget(bounds.held_bytes)
    return Service(
        pool=pool,
        budget=budget,
        limits=bounds,
        metrics=Metrics(pool, budget),
        backgrounds=backgrounds or {},
        model="a.tflite",
    )


@contextmanager
def running(service: Service, origins: tuple[str, ...] = ()) -> Iterator[Running]:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        server = make_server(service, origins)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            until(lambda: server.started)
            yield Running(service, port, server)
        finally:
            server.should_exit = True
            thread.join(TIMEOUT_S)
        assert not thread.is_alive()


class Held(Worker):
    """Works only while it is let; its alpha is the frame's own green."""

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.let = threading.Event()
        self.begun = 0

    def alpha(self, frame: Pixels, preset: str | None) -> Pixels:
        self.begun += 1
        assert self.let.wait(TIMEOUT_S)
        return np.ascontiguousarray(frame[..., 1])

    def refined(self, frame: Pixels, refiner: segruntime.Refiner) -> Pixels:
        return self.alpha(frame, None)


def until(holds: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.01)


def picture(height: int = 60, width: int = 80, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def plain(value: int, height: int = 4, width: int = 6) -> bytes:
    """A PNG of one gray level."""
    return encoded(np.full((height, width, 3), value, np.uint8))


def encoded(pixels: Pixels, ending: str = ".png") -> bytes:
    return bytes(cv2.imencode(ending, pixels)[1])


def png_of(width: int, height: int) -> bytes:
    """A few dozen bytes that declare such a picture, with whole chunks and a stream that inflates to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"")) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def read_all(connection: socket.socket) -> bytes:
    """Until the service closes it."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def read_reply(connection: socket.socket) -> bytes:
    """One whole reply, head and body, of a connection that lives on; head and body may come apart."""
    reply = b""
    while b"\r\n\r\n" not in reply:
        reply += received_part(connection)
    head, _, body = reply.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    while found and len(body) < int(found[1]):
        part = received_part(connection)
        reply, body = reply + part, body + part
    return reply


def received_part(connection: socket.socket) -> bytes:
    part = connection.recv(65536)
    assert part, "the connection was closed within a reply"
    return part
