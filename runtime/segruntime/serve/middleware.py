"""The outermost layer: who may ask, what every reply says about itself, and what is counted."""

from __future__ import annotations

import time
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from segruntime.serve.metrics import Metrics

_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
_REFUSED = "origin: a page of {} may not use this service, expected the service's own or one named with --allow-origin"


class Front:
    """An ASGI layer around the service."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, paths: Collection[str], origins: Collection[str]) -> None:
        self._app, self._metrics = app, metrics
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
            await app(scope, receive, noted)
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
