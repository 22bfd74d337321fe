"""Two `segrun serve` processes behind HAProxy with deploy/haproxy.cfg, on ports of this machine that are free."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.places import ROOT
from tests.serve.child import TIMEOUT_S, started
from tests.serve.running import Answer, until

CONFIGURATION = ROOT / "deploy" / "haproxy.cfg"
PROGRAM = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
RETRIES_429 = (3, 0, 4)
"""The first HAProxy that gives a request to another process after a 429."""
needs_haproxy = pytest.mark.skipif(PROGRAM is None, reason="haproxy is not installed here")


def version() -> tuple[int, ...]:
    """Of the HAProxy that is here; nothing where there is none."""
    if PROGRAM is None:
        return ()
    said = subprocess.run([PROGRAM, "-v"], capture_output=True, text=True, check=True, timeout=TIMEOUT_S).stdout
    found = re.search(r"version (\d+)\.(\d+)(?:\.(\d+))?", said)
    assert found
    return tuple(int(number or 0) for number in found.groups())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def ask(port: int, method: str, path: str, body: bytes | None = None) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, body)
        reply = connection.getresponse()
        return Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
    finally:
        connection.close()


def counted(port: int, name: str, **labels: str) -> float:
    """A number of a /metrics page; 0 where it is not there yet."""
    for line in ask(port, "GET", "/metrics").body.decode().splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if (
            found
            and found[1] == name
            and labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', found[2] or "")).items()
        ):
            return float(found[3])
    return 0.0


class Proxied:
    """The proxy, and its processes by their names `a` and `b`."""

    def __init__(self, stack: ExitStack, words: tuple[str, ...]) -> None:
        self._stack, self._words = stack, words
        self.ports = {name: free_port() for name in "ab"}
        self.port, self.metrics = free_port(), free_port()
        self.processes: dict[str, subprocess.Popen[str]] = {}

    def start(self, name: str) -> None:
        """The process of that name, on its port; until the proxy counts on it."""
        words = ("--port", str(self.ports[name]), *self._words)
        self.processes[name], _ = self._stack.enter_context(started(*words))

    def is_up(self, name: str) -> bool:
        return self.of_proxy("haproxy_server_status", name, state="UP") == 1

    def of_proxy(self, counter: str, name: str, **labels: str) -> float:
        """What the proxy counts of a process."""
        return counted(self.metrics, counter, proxy="processes", server=name, **labels)

    def of_process(self, counter: str, name: str, **labels: str) -> float:
        """What a process counts itself."""
        return counted(self.ports[name], counter, **labels)

    def answers_from(self, name: str) -> float:
        """How many requests the proxy has an answer from that process for, with a status of 200."""
        return self.of_proxy("haproxy_server_http_responses_total", name, code="2xx")

    def redispatched(self) -> float:
        """How often the proxy turned from one process to the other."""
        return sum(self.of_proxy("haproxy_server_redispatch_warnings_total", name) for name in self.ports)

    def post(self, body: bytes, path: str = "/v1/mask") -> Answer:
        return ask(self.port, "POST", path, body)

    def stream(self) -> Any:
        from websockets.sync.client import connect

        return connect(f"ws://127.0.0.1:{self.port}/v1/stream", compression=None, proxy=None)


@contextmanager
def proxied(log: Path, *words: str, processes: str = "ab") -> Iterator[Proxied]:
    """`words`: of `segrun serve`, beside its port; `log`: what the proxy says."""
    with ExitStack() as stack:
        service = Proxied(stack, words)
        for name in processes:
            service.start(name)
        stack.enter_context(proxy(service, log))
        until(lambda: answers(service.metrics) and all(map(service.is_up, processes)))
        yield service


@contextmanager
def proxy(service: Proxied, log: Path) -> Iterator[None]:
    places = {"PROXY": service.port, "METRICS": service.metrics, "A": service.ports["a"], "B": service.ports["b"]}
    environment = {**os.environ, **{f"SEGRUN_{name}": f"127.0.0.1:{port}" for name, port in places.items()}}
    assert PROGRAM is not None
    with log.open("wb") as said:
        child = subprocess.Popen([PROGRAM, "-f", CONFIGURATION], env=environment, stdout=said, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            child.kill()
            child.wait(TIMEOUT_S)


def answers(port: int) -> bool:
    try:
        ask(port, "GET", "/metrics")
    except OSError:
        return False
    return True
