"""Processes that die, leave or are busy behind the proxy: what is lost, and that nothing else is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.deploy.proxied import (
    CONFIGURATION,
    PROGRAM,
    RETRIES_429,
    TIMEOUT_S,
    Proxied,
    ask,
    needs_haproxy,
    proxied,
    version,
)
from tests.serve.running import encoded, picture, until

from segruntime.serve.stream import HEADER

CLIENTS = 6
FRAME = encoded(picture(240, 320), ".jpg")
pytestmark = needs_haproxy


@contextmanager
def load(service: Proxied) -> Iterator[Counter[int]]:
    """Clients that post one picture after the other as long as the block runs: how often they got which status."""
    statuses: Counter[int] = Counter()
    lock, end = threading.Lock(), threading.Event()

    def client() -> None:
        while not end.is_set():
            status = service.post(FRAME).status
            with lock:
                statuses[status] += 1

    with ThreadPoolExecutor(CLIENTS) as threads:
        clients: list[Future[None]] = [threads.submit(client) for _ in range(CLIENTS)]
        try:
            until(lambda: statuses[200] >= 50)
            yield statuses
        finally:
            end.set()
        for one in clients:
            one.result()  # a connection that broke without an answer is an error here


def goes_on(statuses: Counter[int], requests: int = 50) -> None:
    """So many more are answered."""
    goal = statuses[200] + requests
    until(lambda: statuses[200] >= goal)


def test_the_configuration_has_no_warnings() -> None:
    assert PROGRAM is not None
    done = subprocess.run([PROGRAM, "-c", "-f", CONFIGURATION], capture_output=True, text=True, timeout=TIMEOUT_S)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout in ("", "Configuration file is valid\n")


def test_a_killed_process_loses_what_it_had_in_hand_and_nothing_else_and_is_back_when_it_is_started_again(
    tmp_path: Path,
) -> None:
    """In hand: the proxy's connection to it was made, and no answer had come. What found its port closed went to the other."""
    with proxied(tmp_path / "log") as service:
        with load(service) as statuses:
            killed = service.processes["a"]
            killed.send_signal(signal.SIGSTOP)  # so that it has some in hand for certain
            until(lambda: service.of_proxy("haproxy_server_current_sessions", "a") >= 2)
            killed.kill()
            until(lambda: not service.is_up("a"))
            goes_on(statuses)
        tried = service.of_proxy("haproxy_server_connection_attempts_total", "a")
        in_hand = tried - service.redispatched() - service.answers_from("a")
        assert statuses == {200: service.answers_from("a") + service.answers_from("b"), 502: in_hand}
        assert 2 <= in_hand <= CLIENTS
        assert service.of_process("segrun_requests_total", "b", path="/v1/mask", status="200") == service.answers_from(
            "b"
        )

        before = service.answers_from("a")
        service.start("a")
        until(lambda: service.is_up("a"))
        assert [service.post(FRAME).status for _ in range(4)] == [200] * 4
        back = service.of_process("segrun_requests_total", "a", path="/v1/mask", status="200")
        assert back == service.answers_from("a") - before
        assert back >= 1


def test_a_process_that_is_told_to_stop_is_left_alone_in_time_and_no_request_is_lost(tmp_path: Path) -> None:
    with proxied(tmp_path / "log", "--drain", "3") as service, load(service) as statuses:
        leaving = service.processes["a"]
        leaving.terminate()
        until(lambda: not service.is_up("a"))
        assert leaving.poll() is None
        until(lambda: service.of_proxy("haproxy_server_current_sessions", "a") == 0)
        had = service.answers_from("a")
        goes_on(statuses)
        leaving.communicate(timeout=TIMEOUT_S)
        assert leaving.returncode == 0
        goes_on(statuses)
        assert service.answers_from("a") == had
        assert set(statuses) == {200}
    assert set(statuses) == {200}


def masked(socket: Any) -> int:
    """A frame is sent, its mask comes; the number that it has on its socket."""
    socket.send(FRAME)
    message = socket.recv(timeout=TIMEOUT_S)
    number, _, width, height = HEADER.unpack_from(message)
    assert (width, height) == (320, 240)
    return int(number)


def test_sockets_of_a_killed_process_are_closed_and_their_clients_get_masks_from_the_other_one(tmp_path: Path) -> None:
    from websockets.exceptions import ConnectionClosed

    with proxied(tmp_path / "log") as service, ExitStack() as stack:
        sockets = [stack.enter_context(service.stream()) for _ in range(4)]
        assert [masked(socket) for socket in sockets] == [1] * 4
        assert [service.of_process("segrun_sockets", name) for name in "ab"] == [2, 2]
        service.processes["a"].kill()
        service.processes["a"].wait(TIMEOUT_S)  # until then its port may still take a connection, and lose it
        numbers = []
        for socket in sockets:
            try:
                numbers.append(masked(socket))
            except ConnectionClosed:
                numbers.append(masked(stack.enter_context(service.stream())))
        assert sorted(numbers) == [1, 1, 2, 2]  # a new socket counts from 1, one that stayed open goes on
        assert service.of_process("segrun_sockets", "b") == 4


def test_sockets_of_a_process_that_is_told_to_stop_are_told_so(tmp_path: Path) -> None:
    from websockets.exceptions import ConnectionClosed

    with proxied(tmp_path / "log", "--drain", "0.1") as service, ExitStack() as stack:
        sockets = [stack.enter_context(service.stream()) for _ in range(2)]
        assert [masked(socket) for socket in sockets] == [1, 1]
        service.processes["a"].terminate()
        service.processes["a"].communicate(timeout=TIMEOUT_S)
        ended = []
        for socket in sockets:
            try:
                masked(socket)
            except ConnectionClosed as closed:
                ended.append(closed.rcvd.code if closed.rcvd else None)
        assert ended == [1012]  # service restart
        assert masked(stack.enter_context(service.stream())) == 1


@contextmanager
def busy(port: int) -> Iterator[None]:
    """A process of one worker and no queue that has work all the time, past the proxy."""
    end, slow = threading.Event(), encoded(picture(1500, 2000), ".jpg")

    def client() -> None:
        while not end.is_set():
            ask(port, "POST", "/v1/cutout?preset=best", slow)

    with ThreadPoolExecutor(2) as threads:
        clients = [threads.submit(client) for _ in range(2)]
        try:
            yield
        finally:
            end.set()
        for one in clients:
            one.result()


@pytest.mark.skipif(
    version() < RETRIES_429, reason="this HAProxy knows no `retry-on 429`: Debian 12 has 2.6, it came with 3.0.4"
)
def test_a_request_that_a_busy_process_refuses_is_answered_by_the_other(tmp_path: Path) -> None:
    with proxied(tmp_path / "log", "--queue", "0") as service, busy(service.ports["a"]):
        refused = "segrun_requests_total", "a"
        until(
            lambda: (
                service.post(FRAME).status == 200 and service.of_process(*refused, path="/v1/mask", status="429") > 2
            )
        )
        statuses = [service.post(FRAME).status for _ in range(20)]
        assert statuses == [200] * 20
        assert service.redispatched() > 2


def test_a_refusal_arrives_though_the_picture_is_still_on_its_way(tmp_path: Path) -> None:
    """Larger than what the proxy or the sockets' buffers take up, so that it is refused before it is all sent."""
    with proxied(tmp_path / "log", "--max-megabytes", "1") as service:
        large = np.random.default_rng(0).bytes(9_000_000)
        for _ in range(5):
            answer = service.post(large)
            assert (answer.status, answer.error.split(",")[0]) == (413, "body: got 9000000 bytes or more")


def test_the_processes_own_pages_stay_inside_and_the_proxy_says_whether_any_can_be_used(tmp_path: Path) -> None:
    with proxied(tmp_path / "log", processes="b") as service:
        until(lambda: not service.is_up("a"))
        assert ask(service.port, "GET", "/health").status == 200
        for path in ("/metrics", "/health/live"):
            assert ask(service.port, "GET", path).status == 404
        assert ask(service.port, "GET", "/openapi.json").status == 200
        os.kill(service.processes["b"].pid, signal.SIGKILL)
        until(lambda: not service.is_up("b"))
        assert ask(service.port, "GET", "/health").status == 503
        refused = service.post(FRAME)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert json.loads(refused.body)["error"].startswith("proxy: ")
    assert "127.0.0.1" not in (tmp_path / "log").read_text("utf-8")
