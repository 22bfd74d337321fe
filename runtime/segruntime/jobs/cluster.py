"""A connection to a Ray cluster, or one on this machine alone; Ray is imported here, and nowhere before."""

from __future__ import annotations

import io
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO

from segruntime.errors import ClusterError, MissingExtraError

_STORE_BYTES = 80 << 20  # nearly the least that Ray takes: no frame ever lies in it
_REACH_S = 10.0
_CLIENT = "ray://"


@contextmanager
def connected(address: str | None, cpus: int | None) -> Iterator[Any]:
    """The module `ray`, connected for as long as the block runs; where it is connected already, it stays so.

    `address`: `auto`, `HOST:PORT` or `ray://HOST:PORT`; None: a cluster of this machine with `cpus`, None: all of its, that
    nobody else reaches and that ends with the block.

    Raises:
        ClusterError: it cannot be reached, or its versions are others. MissingExtraError: Ray is not installed.
    """
    ray = _library(is_local=address is None)
    if ray.is_initialized():
        yield ray
        return
    with redirect_stdout(_OfThisThread(sys.stdout)), _temporary(is_local=address is None) as folder:
        own: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        if address is None:
            own |= {"num_cpus": cpus, "object_store_memory": _STORE_BYTES, "include_dashboard": False}
            own |= {"_temp_dir": folder}
        try:
            with _signals_kept():
                _begin(ray, address or "local", own)
            yield ray
        finally:
            with redirect_stdout(io.StringIO()):  # it prints what it had kept back
                ray.shutdown()


class _OfThisThread(io.TextIOBase):
    """Passes on what this thread prints: one of Ray's prints on standard output whatever dies in the cluster, with its logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._thread = stream, threading.get_ident()

    def write(self, text: str) -> int:
        return self._stream.write(text) if threading.get_ident() == self._thread else len(text)

    def flush(self) -> None:
        self._stream.flush()


def _library(*, is_local: bool) -> Any:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if is_local:
        # Ray's only switch to the loopback interface: without it, all of the network could give its processes work
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("--engine ray", "Ray", "ray") from error
    return ray


@contextmanager
def _temporary(*, is_local: bool) -> Iterator[str]:
    """A folder of its own for the processes of a local cluster: another one's on this machine is not disturbed."""
    folder = tempfile.mkdtemp(prefix="segrun-") if is_local else ""
    try:
        yield folder
    finally:
        if is_local:
            shutil.rmtree(folder, ignore_errors=True)


def _begin(ray: Any, address: str, own: dict[str, Any]) -> None:
    _check_there(address)
    if address.startswith(_CLIENT):
        own = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of Ray's, on its own defaults to come
            ray.init(address=address, **own)
    except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        said = " ".join(str(error).split())[:300]
        raise ClusterError(
            f"address: {address}: no cluster to work with ({said}); check it with ray status, that Ray and Python have the "
            "same versions everywhere, and RAY_AUTH_MODE=token where it wants a token"
        ) from error


def _check_there(address: str) -> None:
    """Ray itself tries for minutes.

    Raises:
        ClusterError: nobody listens there.
    """
    host, _, port = address.removeprefix(_CLIENT).partition("?")[0].rpartition(":")
    if address in ("auto", "local"):
        return
    if not host or not port.isdecimal():
        raise ClusterError(f"address: got {address[:80]!r}, expected auto, HOST:PORT or ray://HOST:PORT")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_S).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"address: {address}: cannot be reached ({error}); check host and port, 6379 of a head node, 10001 for ray://"
        ) from error


@contextmanager
def _signals_kept() -> Iterator[None]:
    """What the block sets is set back: Ray takes SIGTERM for itself."""
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM) if is_main else None
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)
