"""Clients that hold a connection open for nothing are cut off in time, and the others do not notice."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
import pytest
from tests.serve.running import (
    LONG_S,
    Held,
    Running,
    encoded,
    make_service,
    plain,
    read_all,
    read_reply,
    running,
    until,
)

POST = b"POST /v1/mask HTTP/1.1\r\nhost: x\r\n"
GET = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"


def drain(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def ready() -> Held:
    worker = Held()
    worker.let.set()
    return worker


def drip(service: Running, connection: socket.socket, text: bytes) -> None:
    """A byte at a time, each a tenth of the limit after the one before, and the limit is not come to."""
    until(lambda: service.connections == 1)
    for at in range(9):
        connection.sendall(text[at % len(text) :][:1])
        service.leap(LONG_S / 10)
    assert service.connections == 1


def test_a_head_that_comes_byte_by_byte_is_cut_off_in_time() -> None:
    with running(make_service([ready()], header_s=LONG_S)) as service, service.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        drip(service, connection, b"x-slow: loris\r\n")
        service.leap(LONG_S / 5)
        said = read_all(connection)
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b'{"error": "request: no whole head in 1000 s; send it faster"}' in said


def test_a_second_head_on_a_connection_has_as_much_time_as_the_first_and_no_more() -> None:
    with running(make_service([ready()], header_s=LONG_S)) as service, service.connect() as connection:
        drip(service, connection, GET[:9])
        connection.sendall(GET[9:])
        assert read_reply(connection).startswith(b"HTTP/1.1 200 ")
        drip(service, connection, b"G")
        service.leap(LONG_S / 5)
        assert read_all(connection) == b""


@pytest.mark.parametrize("before", [b"", GET])
def test_a_silent_connection_is_closed(before: bytes) -> None:
    with running(make_service([ready()], header_s=LONG_S)) as service, service.connect() as connection:
        until(lambda: service.connections == 1)
        if before:
            connection.sendall(before)
            assert read_reply(connection).startswith(b"HTTP/1.1 200 ")
        service.leap(LONG_S * 0.9)
        assert service.connections == 1
        service.leap(LONG_S * 0.2)
        assert read_all(connection) == b""


def test_a_body_that_comes_byte_by_byte_is_cut_off_in_time_and_its_memory_is_free_again() -> None:
    with running(make_service([ready()], body_s=LONG_S, linger_s=LONG_S)) as service, service.connect() as connection:
        connection.sendall(POST + b"content-length: 10000\r\n\r\n\x89")
        until(lambda: service.service.budget.held_bytes == 1)
        drip(service, connection, b"PNG")
        service.leap(LONG_S / 5)
        said = read_reply(connection)
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b"10 bytes came in 1000 s, expected all of it; send it faster, or a smaller one" in said
        assert service.service.budget.held_bytes == 0
        drip(service, connection, b"PNG")  # thrown away for a while
        service.leap(LONG_S / 5)
        assert read_all(connection) == b""


def test_two_hundred_slow_clients_do_not_keep_the_others_waiting() -> None:
    with running(make_service([ready()], header_s=LONG_S, body_s=LONG_S)) as service:
        slow = [service.connect() for _ in range(200)]
        try:
            for count, connection in enumerate(slow):
                connection.sendall(POST + (b"content-length: 9\r\n\r\nslow" if count % 2 else b""))
            assert service.post("/v1/mask", plain(3)).status == 200
            assert service.connections >= 200  # all of them wait still
        finally:
            for connection in slow:
                connection.close()


def test_a_head_without_end_is_refused_by_its_size() -> None:
    with running(make_service([ready()])) as service, service.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nx: " + b"y" * 200_000)
        assert read_all(connection)[:13] in (b"HTTP/1.1 400 ", b"")


def test_what_is_no_http_is_one_line() -> None:
    with running(make_service([ready()])) as service, service.connect() as connection:
        connection.sendall(b"\x16\x03\x01 TLS hello\r\n\r\n")
        said = read_all(connection)
        assert said.startswith(b"HTTP/1.1 400 ")
        assert b'{"error": "request: Invalid HTTP request received.' in said


def test_a_client_that_does_not_take_its_reply_is_cut_off_and_its_memory_is_free_again() -> None:
    with running(make_service([ready()], reply_s=LONG_S)) as service, service.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = encoded(np.zeros((4000, 4000, 3), np.uint8), ".jpg")
        head = POST.replace(b"mask", b"mask?format=raw")
        connection.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        until(lambda: any(one.flow.write_paused for one in service.server.server_state.connections))
        service.leap(LONG_S * 0.9)
        assert service.service.budget.held_bytes > len(body)
        service.leap(LONG_S * 0.2)
        until(lambda: service.service.budget.held_bytes == 0)
        with pytest.raises(ConnectionResetError):
            drain(connection)


def test_a_connection_too_many_is_told_so_at_once_and_room_comes_back() -> None:
    with running(make_service([ready()], connections=3)) as service:
        held = [service.connect() for _ in range(3)]
        for connection in held:
            connection.sendall(GET)
            assert read_reply(connection).startswith(b"HTTP/1.1 200 ")
        with service.connect() as fourth:
            said = read_all(fourth)
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1\r\n" in said
        assert b'{"error": "server: 3 connections are open, as many as may; try again"}' in said
        held.pop().close()
        until(lambda: _is_answered(service))
        for connection in held:
            connection.close()


def _is_answered(service: Running) -> bool:
    with service.connect() as connection:
        connection.sendall(GET)
        return read_reply(connection).startswith(b"HTTP/1.1 200 ")


def test_requests_on_one_connection_are_answered_in_turn() -> None:
    with running(make_service([ready()], header_s=LONG_S)) as service, service.connect() as connection:
        for value in range(4):
            body = plain(value, 1, 1)
            connection.sendall(
                b"POST /v1/mask?format=raw HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
            )
            assert read_reply(connection).endswith(b"\r\n\r\n%c" % value)
            service.leap(LONG_S * 0.4)  # four of them take longer than one head may


def test_the_end_of_a_reply_does_not_wait_for_an_acknowledgement() -> None:
    with running(make_service([ready()])) as service, service.connect() as connection, service.stream():
        connection.sendall(GET)
        assert read_reply(connection).startswith(b"HTTP/1.1 200 ")
        held: list[Any] = list(service.server.server_state.connections)
        assert len(held) == 2
        for protocol in held:
            kernels = protocol.transport.get_extra_info("socket")
            assert kernels.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


CLOSING = POST + b"connection: close\r\ncontent-length: 8000000\r\n\r\n"


def test_a_refusal_is_there_to_read_after_a_body_that_nobody_wanted_though_the_connection_is_to_be_closed() -> None:
    with running(make_service([ready()], body_bytes=1000, linger_s=LONG_S)) as service, service.connect() as connection:
        connection.sendall(CLOSING + bytes(8_000_000))
        said = read_all(connection)
        assert said.startswith(b"HTTP/1.1 413 ")
        assert b"\r\nconnection: close\r\n" in said.lower()
        assert said.endswith(b'; send a smaller picture"}')
        until(lambda: service.connections == 0)


def test_a_body_that_nobody_wanted_is_thrown_away_for_a_while_only_where_the_connection_is_to_be_closed() -> None:
    with running(make_service([ready()], body_bytes=1000, linger_s=LONG_S)) as service, service.connect() as connection:
        connection.sendall(CLOSING)
        assert read_reply(connection).startswith(b"HTTP/1.1 413 ")
        drip(service, connection, b"PNG")
        service.leap(LONG_S / 5)
        until(lambda: service.connections == 0)
