"""The picture in a request's body, counted and timed while it arrives."""

from __future__ import annotations

import anyio
from starlette.requests import Request

from segruntime.serve.budget import Share
from segruntime.serve.errors import RefusedError
from segruntime.serve.limits import Limits

PICTURE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/heic", "image/heif", "image/avif")
PICTURES = "JPEG, PNG, WebP, HEIC or AVIF"
# what curl says of `--data-binary` where it is told nothing
_UNTOLD = ("", "application/octet-stream", "application/x-www-form-urlencoded")


async def read_body(request: Request, limits: Limits, share: Share) -> bytes:
    """The whole body; its kind and length are checked before a byte of it is read, its length again while it arrives.

    Raises:
        RefusedError: another kind (415), too long (413), too slow (408), empty (400), or no memory left for it (503).
    """
    _check_type(request.headers.get("content-type", ""))
    _check_length(_declared_length(request), limits)
    body = bytearray()
    try:
        with anyio.fail_after(limits.body_s):
            async for chunk in request.stream():
                _check_length(len(body) + len(chunk), limits)
                share.take(len(chunk))
                body += chunk
    except TimeoutError:
        raise RefusedError(
            408,
            f"body: {len(body)} bytes came in {limits.body_s:g} s, expected all of it; send it faster, or a smaller one",
        ) from None
    if not body:
        raise RefusedError(400, f"body: got 0 bytes, expected a {PICTURES}; with curl: --data-binary @me.jpg")
    return bytes(body)


def _check_type(content_type: str) -> None:
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in PICTURE_TYPES and kind not in _UNTOLD:
        raise RefusedError(
            415,
            f"content-type: got {kind[:60]!r}, expected {', '.join(PICTURE_TYPES)}; send the picture itself as the body",
        )


def _check_length(length: int, limits: Limits) -> None:
    if length > limits.body_bytes:
        raise RefusedError(
            413, f"body: got {length} bytes or more, expected at most {limits.body_bytes}; send a smaller picture"
        )


def _declared_length(request: Request) -> int:
    """As the head says; 0 for a body in chunks. The HTTP parser has refused what is no number."""
    return int(request.headers.get("content-length", 0))
