"""Several `segrun serve` processes behind HAProxy with deploy/haproxy.cfg, for the scripts that measure them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

_CONFIGURATION = Path(__file__).parents[2] / "deploy" / "haproxy.cfg"
_START_S = 30.0


@contextmanager
def proxied(ports: Sequence[int]) -> Iterator[tuple[int, psutil.Process]]:
    """The proxy before these ports of 127.0.0.1, for as long as the block: its own port and its process.

    Raises:
        SystemExit: HAProxy is not installed, or does not start.
    """
    program = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise SystemExit("HAProxy is not installed; install the package haproxy, or measure without --processes")
    port, metrics = _free_port(), _free_port()
    environment = {
        **os.environ,
        "SEGRUN_PROXY": f"127.0.0.1:{port}",
        "SEGRUN_METRICS": f"127.0.0.1:{metrics}",
    }
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
        file.write(configuration(ports))
        file.flush()
        child = subprocess.Popen([program, "-f", file.name], env=environment, stdout=subprocess.DEVNULL)
        try:
            _wait_for(f"http://127.0.0.1:{port}/health")
            yield port, psutil.Process(child.pid)
        finally:
            child.kill()
            child.wait()


def configuration(ports: Sequence[int]) -> str:
    """haproxy.cfg with a server for each port in place of its two."""
    text = _CONFIGURATION.read_text("utf-8")
    servers = "".join(f"    server p{port} 127.0.0.1:{port}\n" for port in ports)
    return re.sub(r"(?:^    server .*\n)+", servers, text, count=1, flags=re.MULTILINE)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(address: str) -> None:
    end = time.monotonic() + _START_S
    while True:
        try:
            urllib.request.urlopen(address, timeout=_START_S).close()  # noqa: S310 - http, our own
        except (OSError, urllib.error.URLError):
            if time.monotonic() > end:
                raise SystemExit("the proxy has no process to send requests to") from None
            time.sleep(0.05)
        else:
            return
