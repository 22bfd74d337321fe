"""A WebSocket: frames in, alpha out. The newest frame wins, and replies come in the order of their frames.

One frame is in work and one waits; a newer one takes the place of the one that waits, until a worker is free. So a client
that sends faster than it is answered, or reads slower, costs no memory: it gets fewer masks.
"""

from __future__ import annotations

import asyncio
import json
import struct
from dataclasses import dataclass
from functools import partial

import anyio
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from segruntime.refine import PRESETS, Refiner
from segruntime.serve.encode import MaskFormat, encode_mask
from segruntime.serve.errors import RefusedError
from segruntime.serve.options import one_of, read_options
from segruntime.serve.picture import decode
from segruntime.serve.pool import Job
from segruntime.serve.service import Service
from segruntime.serve.worker import Worker

HEADER = struct.Struct(">IIII")
"""Before each mask: number of the frame, from 1, frames skipped before it, width, height; big-endian."""
OPTIONS = ("preset", "format")
_PRESETS = ["balanced", *(name for name in PRESETS if name != "balanced")]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The newest frame; `skipped`: how many it replaced since the last one that was taken."""

    number: int
    data: bytes
    skipped: int


class StreamEndpoint:
    """Accepts sockets up to their number, and gives each a stream."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket, limits = WebSocket(scope, receive, send), self._service.limits
        options = read_options(socket.query_params.multi_items(), OPTIONS)
        preset, form = one_of(options, "preset", _PRESETS), one_of(options, "format", ["png", "raw"])
        if self._open >= limits.sockets:
            raise RefusedError(
                503, f"server: {self._open} sockets are open, as many as may; try again", retry_after_s=5
            )
        self._open += 1
        self._service.metrics.sockets.inc()
        try:
            await socket.accept()
            await Stream(self._service, socket, preset, form).run()
        finally:
            self._open -= 1
            self._service.metrics.sockets.dec()


class Stream:
    """One client's frames."""

    def __init__(self, service: Service, socket: WebSocket, preset: str, form: MaskFormat) -> None:
        self._service, self._socket = service, socket
        self._preset, self._refiner, self._form = preset, Refiner(preset), form
        self._arrived = asyncio.Event()
        self._waiting: Waiting | None = None
        self._taken = 0

    async def run(self) -> None:
        """Until the client leaves, is silent for too long, or the service stops."""
        tasks = [asyncio.ensure_future(self._receive()), asyncio.ensure_future(self._answer())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception) and not isinstance(error, WebSocketDisconnect):
                raise error

    async def _receive(self) -> None:
        number = 0
        while (data := await self._next_message()) is not None:
            if isinstance(data, str):
                await self._refuse(
                    0, f"message: got text, {len(data)} characters, expected a picture as a binary message"
                )
                continue
            number += 1
            skipped = 0
            if self._waiting is not None:
                skipped = self._waiting.skipped + 1
                self._count("skipped")
            self._waiting = Waiting(number, data, skipped)
            self._arrived.set()

    async def _next_message(self) -> bytes | str | None:
        try:
            with anyio.fail_after(self._service.limits.idle_s):
                message = await self._socket.receive()
        except TimeoutError:
            await self._socket.close(1008, f"no frame for {self._service.limits.idle_s:g} s")
            return None
        if message["type"] == "websocket.disconnect":
            return None
        data: bytes | str = message.get("bytes") or message.get("text") or b""
        return data

    async def _answer(self) -> None:
        while self._socket.application_state is WebSocketState.CONNECTED:
            await self._arrived.wait()
            try:
                reply = await self._service.pool.run(self._choose)
            except RefusedError as refusal:
                if refusal.status == 503:  # a job that takes too long still has the refiner
                    self._refiner = Refiner(self._preset)
                await self._refuse(self._taken, str(refusal))
                continue
            self._count("answered")
            await self._socket.send_bytes(reply)

    def _choose(self) -> Job[bytes]:
        """The frame that is the newest at the moment when a worker is free."""
        newest, self._waiting = self._waiting, None
        assert newest is not None  # noqa: S101 - the event says so
        self._arrived.clear()
        self._taken = newest.number
        return partial(self._work, newest, self._refiner)

    def _work(self, frame: Waiting, refiner: Refiner, worker: Worker) -> bytes:
        pixels = decode(frame.data, self._service.limits.frame_pixels)
        alpha = worker.refined(pixels, refiner)
        height, width = alpha.shape
        return HEADER.pack(frame.number, frame.skipped, width, height) + encode_mask(alpha, self._form)

    async def _refuse(self, number: int, line: str) -> None:
        self._count("refused")
        await self._socket.send_text(json.dumps({"frame": number, "error": line}))

    def _count(self, outcome: str) -> None:
        self._service.metrics.frames.labels(outcome).inc()
