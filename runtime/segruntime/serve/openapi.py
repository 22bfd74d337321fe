"""The service as OpenAPI 3.1 describes it, with the limits that it was started with."""

from __future__ import annotations

from typing import Any

import segruntime
from segruntime.compositing.words import COLOURS
from segruntime.refine import PRESETS
from segruntime.serve.body import PICTURE_TYPES, PICTURES
from segruntime.serve.service import Service

Described = dict[str, Any]

_LINES = {
    400: "No picture, or a damaged one.",
    403: "A web page that may not use the service.",
    408: "The body did not come in time.",
    413: "Too many bytes or pixels.",
    415: f"No {PICTURES}, or an animation.",
    422: "An option that is not known, or has no such value.",
    429: "All workers have work and the queue is full; Retry-After says when to try again.",
    500: "A fault of the service.",
    503: "No worker or no memory in time; Retry-After says when to try again.",
}
_WITH_RETRY = (429, 503)


def description(service: Service) -> Described:
    """The document that `/openapi.json` gives."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "segrun serve",
            "version": segruntime.__version__,
            "summary": "Persons cut out of pictures",
            "description": _STREAM.strip(),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": {
            "/v1/cutout": _post(
                service, "cutout", "The person, everything else transparent", ["image/png"], [_preset()]
            ),
            "/v1/mask": _post(
                service,
                "mask",
                "The soft mask, 0 (background) to 255 (person)",
                ["image/png", "application/octet-stream"],
                [_preset(), _choice("format", ["png", "raw"], "raw: the bytes, row after row.")],
            ),
            "/v1/composite": _post(
                service,
                "composite",
                "The person before another background",
                ["image/jpeg", "image/png"],
                [_preset(), _background(service), _choice("format", ["jpeg", "png"], "Of the reply."), _quality()],
            ),
            "/v1/stream": {"get": _stream()},
            "/health": {
                "get": _get(
                    "health", "Ready to work?", "application/json", {503: "Every worker hangs, or it is about to stop."}
                ),
            },
            "/health/live": {"get": _get("live", "Does the process answer?", "application/json")},
            "/metrics": {"get": _get("metrics", "Numbers for Prometheus", "text/plain")},
            "/openapi.json": {"get": _get("openapi", "This document", "application/json")},
            "/": {"get": _get("index", "A page for people", "text/html")},
        },
        "components": {"schemas": {"Error": _ERROR}, "responses": {str(s): _refusal(s) for s in _LINES}},
    }


def _post(service: Service, name: str, summary: str, kinds: list[str], parameters: list[Described]) -> Described:
    limits = service.limits
    takes = f"At most {limits.body_bytes} bytes and {limits.pixels} pixels, within {limits.body_s:g} s."
    picture = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in PICTURE_TYPES}
    made = {
        "description": "As large as the picture.",
        "headers": {"X-Width": _whole_number(), "X-Height": _whole_number()},
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds},
    }
    refusals = {str(status): {"$ref": f"#/components/responses/{status}"} for status in _LINES}
    operation = {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "requestBody": {"required": True, "description": takes, "content": picture},
        "responses": {"200": made, **refusals},
    }
    return {"post": operation}


def _get(name: str, summary: str, kind: str, others: dict[int, str] | None = None) -> Described:
    content = {kind: {"schema": {"type": "object" if kind == "application/json" else "string"}}}
    responses = {200: "Yes.", **(others or {})}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {str(status): {"description": text, "content": content} for status, text in responses.items()},
    }


def _stream() -> Described:
    refusals = {str(status): {"$ref": f"#/components/responses/{status}"} for status in (403, 422, 503)}
    return {
        "operationId": "stream",
        "summary": "A WebSocket: frames in, masks out",
        "parameters": [_preset("balanced"), _choice("format", ["png", "raw"], "Of each mask.")],
        "responses": {"101": {"description": "The socket is open."}, **refusals},
    }


def _preset(default: str = "none") -> Described:
    rest = [name for name in (*PRESETS, "none") if name != default and (name != "none" or default == "none")]
    text = "How the edges are refined" + ("; none is the network's mask, scaled up." if default == "none" else ".")
    return _choice("preset", [default, *rest], text)


def _choice(name: str, values: list[str], text: str) -> Described:
    schema = {"type": "string", "enum": values, "default": values[0]}
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _background(service: Service) -> Described:
    words = ["blur", "blur:STRENGTH (over 0 to 1)", "RRGGBB", *COLOURS, *service.backgrounds]
    schema = {"type": "string", "default": "blur", "examples": ["blur:0.8", "00b140", *service.backgrounds]}
    return {"name": "background", "in": "query", "description": ", ".join(words), "schema": schema}


def _quality() -> Described:
    schema = {"type": "integer", "minimum": 1, "maximum": 100, "default": 90}
    return {"name": "quality", "in": "query", "description": "Of a JPEG.", "schema": schema}


def _refusal(status: int) -> Described:
    reference = {"schema": {"$ref": "#/components/schemas/Error"}}
    described: Described = {"description": _LINES[status], "content": {"application/json": reference}}
    if status in _WITH_RETRY:
        described["headers"] = {"Retry-After": _whole_number()}
    return described


def _whole_number() -> Described:
    return {"schema": {"type": "integer", "minimum": 0}}


_ERROR: Described = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "One line: what failed, found, expected, what to do."}},
}
_STREAM = """
Pictures go in as the body of a POST. /v1/stream is a WebSocket: each binary message is a frame (such a picture), each reply
a binary message of four big-endian 32-bit numbers (number of the frame from 1, frames skipped before it, width, height) and the
mask. A frame that is refused gets a text message {"frame": 3, "error": "…"}. The newest frame wins, replies keep their order.
"""
