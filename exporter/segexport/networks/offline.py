"""No request leaves the machine while a network is built: a factory that downloads weights is told so."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SWITCHES = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


class DownloadError(OSError):
    """Something asked for an address on the network."""


class Offline:
    """`asked`: the host that something wanted to reach first; None where nothing did."""

    def __init__(self) -> None:
        self.asked: str | None = None

    def refuse(self, host: Any, *_args: Any, **_words: Any) -> Any:
        """In the place of `socket.getaddrinfo` and `socket.create_connection`."""
        first = host[0] if isinstance(host, tuple) else host
        self.asked = self.asked or (first.decode() if isinstance(first, bytes) else str(first))
        raise DownloadError(f"{self.asked}: no request leaves the machine here")


@contextmanager
def offline(*, switches: bool = True) -> Iterator[Offline]:
    """Names are not looked up and connections not made, in this process, until it ends.

    Args:
        switches: libraries are told so too. One that is imported meanwhile would believe it for good.
    """
    guard = Offline()
    real = (socket.getaddrinfo, socket.create_connection, socket.socket.connect)
    before = {name: os.environ.get(name) for name in _SWITCHES}
    os.environ.update(_SWITCHES if switches else {})
    socket.getaddrinfo = guard.refuse
    socket.create_connection = guard.refuse  # type: ignore[assignment]

    def connect(self: socket.socket, address: Any) -> None:
        # a path is a pipe to a process of this machine
        real[2](self, address) if isinstance(address, str | bytes) else guard.refuse(address)

    socket.socket.connect = connect  # type: ignore[method-assign,assignment]
    try:
        yield guard
    finally:
        socket.getaddrinfo, socket.create_connection = real[:2]
        socket.socket.connect = real[2]  # type: ignore[method-assign]
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
