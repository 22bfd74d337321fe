"""One run of the service: the model loaded, the port taken, uvicorn until a signal ends it."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.config import Config

from segruntime.errors import OptionError
from segruntime.run.signals import is_heard
from segruntime.segmenter import default_threads, load
from segruntime.serve.app import build_app
from segruntime.serve.backgrounds import named_pictures
from segruntime.serve.budget import Budget
from segruntime.serve.limits import Limits
from segruntime.serve.metrics import Metrics
from segruntime.serve.pool import Pool
from segruntime.serve.protocol import TimedHttp, TimedSocket
from segruntime.serve.service import Service
from segruntime.serve.worker import Worker

_HEAD_BYTES = 16 * 1024
_BACKLOG = 1024
_GRACE_S = 10
MOST_WORKERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """`segrun serve`'s words as they were typed; `backgrounds`: `NAME=FILE`."""

    host: str = "127.0.0.1"
    port: int = 8000
    model: str | None = None
    backend: str | None = None
    threads: int = 1
    workers: int | None = None
    backgrounds: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


def build_service(options: ServeOptions) -> Service:
    """Every worker with its own model; nothing listens yet.

    Raises:
        SegRuntimeError: the model, a background or an option cannot be used.
    """
    count = default_threads() if options.workers is None else options.workers
    if not 1 <= count <= MOST_WORKERS:
        raise OptionError(f"workers: got {count}, expected 1 to {MOST_WORKERS}")
    backgrounds = named_pictures(options.backgrounds)
    segmenters = [load(options.model, backend=options.backend, threads=options.threads) for _ in range(count)]
    pool, budget = (
        Pool([Worker(segmenter) for segmenter in segmenters], options.limits),
        Budget(options.limits.held_bytes),
    )
    return Service(
        pool=pool,
        budget=budget,
        limits=options.limits,
        metrics=Metrics(pool, budget),
        backgrounds=backgrounds,
        model=segmenters[0].path.name,
    )


def listen(host: str, port: int) -> socket.socket:
    """The port, taken; 0 is any free one.

    Raises:
        OptionError: it is in use, may not be taken, or the host is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        reason = (
            os.strerror(error.errno) if isinstance(error, OSError) and error.errno and error.errno > 0 else str(error)
        )
        raise OptionError(f"{host}:{port}: cannot listen there ({reason}); choose another --port or --host") from error


class _Server(uvicorn.Server):
    """uvicorn's; a Ctrl-C that a shell had ignored for a job in the background stays ignored, and SIGTERM can have a delay.

    uvicorn closes its port at once, and with it every connection whose request is not read yet. Who sends them has to know
    before: so the service says first that it leaves, and goes on meanwhile.
    """

    def __init__(self, config: Config, service: Service) -> None:
        super().__init__(config)
        self._hears_ctrl_c = is_heard(signal.SIGINT)
        self._service = service
        self._leaves_at = math.inf

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        drain_s, leaving = self._service.limits.drain_s, self._service.leaving
        if sig == signal.SIGTERM and drain_s and self.started and not leaving.is_set():
            self._leaves_at = self.servers[0].get_loop().time() + drain_s
            leaving.set()
        elif self._hears_ctrl_c or sig != signal.SIGINT:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        if not self.should_exit and asyncio.get_running_loop().time() >= self._leaves_at:
            super().handle_exit(signal.SIGTERM, None)
        return await super().on_tick(counter)


def make_server(service: Service, origins: tuple[str, ...] = ()) -> uvicorn.Server:
    """uvicorn around the service; it logs faults and no requests."""
    http: Any = partial(TimedHttp, limits=service.limits)
    ws: Any = partial(TimedSocket, limits=service.limits)
    config = Config(
        build_app(service, origins),
        http=http,
        ws=ws,
        loop="asyncio",
        lifespan="on",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        h11_max_incomplete_event_size=_HEAD_BYTES,
        ws_max_size=service.limits.frame_bytes,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=math.ceil(service.limits.header_s),  # its own would close a silent connection after 5 s
    )
    return _Server(config, service)


def serve(options: ServeOptions, started: Callable[[str], object]) -> None:
    """Until SIGINT or SIGTERM; what is in work then is finished. `started` is told the address before the first request.

    Raises:
        SegRuntimeError: the model or an option cannot be used, or the port is taken.
    """
    with listen(options.host, options.port) as listener:
        server = make_server(build_service(options), options.origins)
        host = f"[{options.host}]" if ":" in options.host else options.host
        started(f"http://{host}:{listener.getsockname()[1]}")
        server.run(sockets=[listener])
