"""A picture in by POST, the cut-out or its mask out as PNG.

    pip install "segedge[tflite]" fastapi uvicorn
    uvicorn --app-dir examples frame_server:app --limit-concurrency 32
    curl --data-binary @me.jpg localhost:8000/cutout -o me.png          # /alpha for the mask alone

The endpoints are plain `def`: FastAPI runs them on a pool of threads, so that a network that computes for milliseconds
does not stop the event loop, which goes on receiving. All threads share one Segmenter, whose calls wait for one another;
decoding and PNG encoding, which take longer than the network, run side by side. The body is counted while it arrives and
dropped at the limit.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

MAX_BYTES = 16 * 1024 * 1024
MAX_PIXELS = 24_000_000
MAX_FRAMES_AT_ONCE = 4  # bounds the memory: a frame of 24 MP takes up to 16 bytes a pixel while it is worked on
# a few KB of PNG can declare gigapixels; OpenCV reads this limit once, when it is imported
os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(MAX_PIXELS)

import anyio.to_thread
import cv2
import numpy as np
import numpy.typing as npt
from fastapi import Depends, FastAPI, HTTPException, Request, Response

import segruntime

Frame = npt.NDArray[np.uint8]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The network is loaded once for each server process, in that process."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = MAX_FRAMES_AT_ONCE
    app.state.segmenter = segruntime.load()
    yield


async def received(request: Request) -> bytes:
    """The body, refused as soon as it is too long, whatever length it announced."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise HTTPException(413, f"picture: more than {MAX_BYTES} bytes; send a smaller one")
    return bytes(body)


Body = Annotated[bytes, Depends(received)]


def decoded(body: bytes) -> Frame:
    """JPEG, PNG, WebP … → `(H, W, 3) uint8, BGR`."""
    try:
        frame = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # an empty body, or more pixels than the limit
        frame = None
    if frame is None:
        detail = f"picture: got {len(body)} bytes that OpenCV cannot read, or more than {MAX_PIXELS} pixels"
        raise HTTPException(400, f"{detail}; send a JPEG, PNG or WebP as the body")
    return np.asarray(frame, np.uint8)


def mask_of(request: Request, frame: Frame) -> Frame:
    """`(H, W) uint8`, 0 (background) to 255 (person)."""
    alpha = request.app.state.segmenter.alpha(frame)
    return np.asarray(cv2.convertScaleAbs(alpha, alpha=255), np.uint8)


def png(pixels: Frame) -> Response:
    _, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return Response(data.tobytes(), media_type="image/png")


app = FastAPI(title="Person cut-out", lifespan=lifespan)


@app.post("/cutout", response_class=Response)
def cutout(body: Body, request: Request) -> Response:
    """The person, everything else transparent: PNG, RGBA, the size of the picture."""
    frame = decoded(body)
    return png(np.dstack([frame, mask_of(request, frame)]))


@app.post("/alpha", response_class=Response)
def alpha(body: Body, request: Request) -> Response:
    """The soft mask: PNG, gray, the size of the picture."""
    return png(mask_of(request, decoded(body)))
