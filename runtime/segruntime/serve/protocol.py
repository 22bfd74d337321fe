"""Connections that cannot be held open for nothing: uvicorn's protocols with a clock, and with a bound on their number.

uvicorn times only the pause between two requests. Here a request's head has to be there in time, a reply has to be taken in
time, what follows a refused body is thrown away for a short while only, and a connection too many is told so at once.

uvicorn has no setting for these: of its timeouts (docs/settings.md, version 0.54) one is for that pause and one for the end of
the server, the others are asked for in its issue 157; `limit_concurrency` answers a connection too many only once its request
is there. So this builds on its two protocol classes, and pyproject.toml bounds its version.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from segruntime.serve.limits import Limits

_NO_LINGERING = struct.pack("ii", 1, 0)


class ReplyClock:
    """Cuts a connection off whose client does not take what is written."""

    def __init__(self, limits: Limits) -> None:
        self._seconds = limits.reply_s
        self._clock: asyncio.TimerHandle | None = None

    def start(self, transport: asyncio.Transport) -> None:
        """More is written than the client has taken."""
        self.stop()
        self._clock = asyncio.get_running_loop().call_later(self._seconds, cut_off, transport)

    def stop(self) -> None:
        """The client has taken it, or is gone."""
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None


class RepliesTaken(asyncio.Protocol):
    """For one of uvicorn's protocols: its replies have to be taken in time."""

    transport: asyncio.Transport
    _taking: ReplyClock

    def pause_writing(self) -> None:
        super().pause_writing()
        self._taking.start(self.transport)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._taking.stop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._taking.stop()
        super().connection_lost(exc)


class TimedHttp(RepliesTaken, H11Protocol):
    """One HTTP connection."""

    def __init__(self, *words: Any, limits: Limits, **named: Any) -> None:
        super().__init__(*words, **named)
        self._limits = limits
        self._clock: asyncio.TimerHandle | None = None
        self._lingers = False
        self._taking = ReplyClock(limits)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio does so only where a socket names its protocol; without, the end of a reply waits 40 ms for an acknowledgement
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > self._limits.connections:
            self._end(503, f"server: {self._limits.connections} connections are open, as many as may; try again")
        else:
            self._await_head()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._stop_clock()
        elif self._lingers and self.conn.their_state is h11.IDLE:  # all of the refused body has come
            self._await_head()

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._stop_clock()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        before = self.cycle
        super().on_response_complete()
        if self.cycle is before and not self.transport.is_closing():
            self._lingers = before.more_body
            self._within(self._limits.linger_s if self._lingers else self._limits.header_s)

    def send_400_response(self, msg: str) -> None:
        self._end(400, f"request: {msg[:200]} Expected HTTP/1.1, with a head of at most 16 kB")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._lingers = False
        self._within(self._limits.header_s)

    def _within(self, seconds: float) -> None:
        self._stop_clock()
        self._clock = self.loop.call_later(seconds, self._out_of_time)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _out_of_time(self) -> None:
        if self.transport.get_write_buffer_size():
            cut_off(self.transport)
        elif self.cycle is None and self.conn.trailing_data[0]:
            self._end(408, f"request: no whole head in {self._limits.header_s:g} s; send it faster")
        else:
            self.transport.close()

    def _end(self, status: int, line: str) -> None:
        """The last reply of a connection, written past the parser, which may be in any state."""
        body = json.dumps({"error": line}).encode()
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\nconnection: close\r\n"
        )
        retry = "retry-after: 1\r\n" if status == 503 else ""
        self.transport.write(f"{head}{retry}content-length: {len(body)}\r\n\r\n".encode() + body)
        self.transport.close()


class TimedSocket(RepliesTaken, WebSocketsSansIOProtocol):
    """One WebSocket; the time between its frames is watched by the application."""

    def __init__(self, *words: Any, limits: Limits, **named: Any) -> None:
        super().__init__(*words, **named)
        self._taking = ReplyClock(limits)


def cut_off(transport: asyncio.Transport) -> None:
    """Close, and throw away what the client has not taken: a plain close would wait for it, here or in the kernel."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
    transport.abort()
