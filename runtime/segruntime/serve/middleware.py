"""The outermost layer: who may ask, what every reply says about itself, and what is counted."""

from __future__ import annotations

import time
from collections.abc import Collection
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from segruntime.serve.metrics import Metrics

_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
_REFUSED = "origin: a page of {} may not use this service, expected the service's own or one named with --allow-origin"


class Front:
    """An ASGI layer around the service."""

    def __init__(
        self, app: ASGIApp, *, metrics: Metrics, linger_s: float, paths: Collection[str], origins: Collection[str]
    ) -> None:
        self._app, self._metrics, self._linger_s = app, metrics, linger_s
        self._paths, self._origins = frozenset(paths), frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket" and (line := self._stranger(scope)):
            await WebSocket(scope, receive, send).send_denial_response(JSONResponse({"error": line}, 403))
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        begin, status = time.perf_counter(), 499  # what proxies log where the client left before the reply

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", []), *_HEADERS]}
            await send(message)

        line = self._stranger(scope)
        app = JSONResponse({"error": line}, 403) if line else self._app
        try:
            await app(scope, *_read_to_its_end(scope, receive, noted, self._linger_s))
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.requests.labels(path, str(status)).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - begin)

    def _stranger(self, scope: Scope) -> str | None:
        """Why a browser's page may not ask; programs send no origin. A form or a socket works across origins without CORS."""
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is None or origin in self._origins or "*" in self._origins:
            return None
        return None if urlsplit(origin).netloc == headers.get("host", "") else _REFUSED.format(origin[:80])


def _read_to_its_end(scope: Scope, receive: Receive, send: Send, linger_s: float) -> tuple[Receive, Send]:
    """For a client that wants its connection closed after this reply: what it still sends is thrown away for so long first.

    A connection that is closed with something unread in it is reset, and takes a reply with it that is not read yet. One that
    stays open is seen to by its protocol.
    """
    if not any(name == b"connection" and b"close" in value.lower() for name, value in scope["headers"]):
        return receive, send
    more_comes = True

    async def received() -> Message:
        nonlocal more_comes
        message = await receive()
        more_comes = message.get("more_body", False)
        return message

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body") and more_comes:
            await send({**message, "more_body": True})
            with anyio.move_on_after(linger_s):
                while more_comes:
                    await received()
            message = {"type": "http.response.body"}
        await send(message)

    return received, sent
