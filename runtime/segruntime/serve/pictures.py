"""The three endpoints that take one picture: its cut-out, its mask, its composite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from segruntime.compositing.composite import composite
from segruntime.serve.backgrounds import Pictures, parse_background
from segruntime.serve.body import read_body
from segruntime.serve.encode import MEDIA_TYPES, Encoded, cutout, encode_mask, encode_picture, encode_png
from segruntime.serve.options import jpeg_quality, one_of, preset_name, read_options
from segruntime.serve.picture import decode
from segruntime.serve.service import Service
from segruntime.serve.worker import Worker

_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An encoded picture and what to say of it."""

    data: Encoded
    media_type: str
    size: tuple[int, int]


Work = Callable[[bytes, int, Worker], Reply]
"""A picture's bytes, the most pixels that it may have, and a worker → the reply."""
Plan = Callable[[dict[str, str], Pictures], Work]
"""A query's options and the named backgrounds → the work."""


def plan_cutout(options: dict[str, str], _pictures: Pictures) -> Work:
    """The person on nothing."""
    return partial(_cutout, preset_name(options))


def plan_mask(options: dict[str, str], _pictures: Pictures) -> Work:
    """The soft mask."""
    return partial(_mask, preset_name(options), one_of(options, "format", ["png", "raw"]))


def plan_composite(options: dict[str, str], pictures: Pictures) -> Work:
    """The person before another background."""
    behind = parse_background(options.get("background", "blur"), pictures)
    preset, form, quality = preset_name(options), one_of(options, "format", ["jpeg", "png"]), jpeg_quality(options)

    def work(data: bytes, most_pixels: int, worker: Worker) -> Reply:
        frame = decode(data, most_pixels)
        alpha = worker.alpha(frame, preset)
        made = composite(frame, alpha, behind(frame, alpha), out=frame)
        return Reply(
            data=encode_picture(made, form, quality),
            media_type=MEDIA_TYPES[form],
            size=(frame.shape[0], frame.shape[1]),
        )

    return work


OPERATIONS: dict[str, tuple[Plan, tuple[str, ...]]] = {
    "/v1/cutout": (plan_cutout, ("preset",)),
    "/v1/mask": (plan_mask, ("preset", "format")),
    "/v1/composite": (plan_composite, ("preset", "background", "format", "quality")),
}
"""Path → its plan and the options that it knows."""


def _cutout(preset: str | None, data: bytes, most_pixels: int, worker: Worker) -> Reply:
    frame = decode(data, most_pixels)
    alpha = worker.alpha(frame, preset)
    return Reply(data=encode_png(cutout(frame, alpha)), media_type="image/png", size=(alpha.shape[0], alpha.shape[1]))


def _mask(preset: str | None, form: str, data: bytes, most_pixels: int, worker: Worker) -> Reply:
    alpha = worker.alpha(decode(data, most_pixels), preset)
    encoded = encode_mask(alpha, "raw" if form == "raw" else "png")
    return Reply(data=encoded, media_type=MEDIA_TYPES[form], size=(alpha.shape[0], alpha.shape[1]))


class OnePicture:
    """An endpoint: checks the query, takes the body, waits for a worker, sends the reply."""

    def __init__(self, service: Service, path: str) -> None:
        self._service = service
        self._plan, self._known = OPERATIONS[path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service, request = self._service, Request(scope, receive)
        work = self._plan(read_options(request.query_params.multi_items(), self._known), service.backgrounds)
        service.pool.check_room()
        with service.budget.share() as share:
            try:
                body = await read_body(request, service.limits, share)
            except ClientDisconnect:
                return
            service.pool.check_room()
            job = partial(work, body, service.limits.pixels)
            reply = await service.pool.run(lambda: job)
            share.take(len(reply.data))
            try:
                with anyio.fail_after(service.limits.reply_s):
                    await SentInParts(reply)(scope, receive, send)
            except TimeoutError:
                return  # cut short: the server closes the connection


class SentInParts(Response):
    """So that a slow client holds its reply once, and the transport's buffer only a part of it."""

    def __init__(self, reply: Reply) -> None:
        height, width = reply.size
        self._data = reply.data
        headers = {
            "content-length": str(len(reply.data)),
            "x-width": str(width),
            "x-height": str(height),
        }
        super().__init__(headers=headers, media_type=reply.media_type)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        for at in range(0, len(self._data), _CHUNK_BYTES):
            part = bytes(self._data[at : at + _CHUNK_BYTES])  # as ASGI has it: Ray Serve can send nothing else
            more = at + _CHUNK_BYTES < len(self._data)
            await send({"type": "http.response.body", "body": part, "more_body": more})
