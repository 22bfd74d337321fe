"""The ASGI application: which path leads where, and how a refusal looks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from segruntime.serve.errors import RefusedError
from segruntime.serve.metrics import CONTENT_TYPE
from segruntime.serve.middleware import Front
from segruntime.serve.openapi import description
from segruntime.serve.page import POLICY, page
from segruntime.serve.pictures import OPERATIONS, OnePicture
from segruntime.serve.service import Service
from segruntime.serve.stream import StreamEndpoint


def build_app(service: Service, origins: Collection[str] = ()) -> Starlette:
    """`origins`: web pages that may use the service next to its own, as browsers name them; `*` is all of them."""
    routes: list[Route | WebSocketRoute] = [
        *(Route(path, OnePicture(service, path), methods=["POST"]) for path in OPERATIONS),
        WebSocketRoute("/v1/stream", StreamEndpoint(service)),
        *_about(service),
    ]
    paths = [route.path for route in routes]
    linger_s = service.limits.linger_s
    layers = [Middleware(Front, metrics=service.metrics, linger_s=linger_s, paths=paths, origins=origins)]
    if origins:
        exposed = ["x-width", "x-height", "retry-after"]
        layers.append(
            Middleware(
                CORSMiddleware, allow_origins=list(origins), allow_methods=["GET", "POST"], expose_headers=exposed
            )
        )
    handlers: Any = {RefusedError: _refused, HTTPException: _not_there, Exception: _broken}

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        service.pool.close()

    return Starlette(routes=routes, middleware=layers, exception_handlers=handlers, lifespan=lifespan)


def _about(service: Service) -> list[Route]:
    """What the service says of itself."""
    html, openapi = page(service), description(service)

    async def index(_request: Request) -> Response:
        return HTMLResponse(html, headers={"content-security-policy": POLICY})

    async def health(_request: Request) -> Response:
        stuck, size = service.pool.stuck, service.pool.size
        status = "leaving" if service.leaving.is_set() else "ready" if stuck < size else "stuck"
        state = {"status": status, "workers": size, "stuck": stuck, "model": service.model}
        return JSONResponse(state, 200 if status == "ready" else 503)

    async def live(_request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def metrics(_request: Request) -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)

    async def openapi_json(_request: Request) -> Response:
        return JSONResponse(openapi)

    endpoints = {
        "/": index,
        "/health": health,
        "/health/live": live,
        "/metrics": metrics,
        "/openapi.json": openapi_json,
    }
    return [Route(path, endpoint) for path, endpoint in endpoints.items()]


async def _refused(connection: HTTPConnection, error: Exception) -> Response | None:
    assert isinstance(error, RefusedError)  # noqa: S101 - registered for nothing else
    response = JSONResponse({"error": str(error)}, error.status, error.headers)
    if isinstance(connection, WebSocket):
        await connection.send_denial_response(response)
        return None
    return response


async def _not_there(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    line = f"{request.method} {request.url.path[:80]}: {error.detail}; / lists what is there"
    return JSONResponse({"error": line}, error.status_code, error.headers)


async def _broken(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"server: {type(error).__name__}; its log says more"}, 500)
