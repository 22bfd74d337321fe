"""Frames over a WebSocket: numbered, in order, the newest first in line, each socket with a memory of its own."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

import cv2
import numpy as np
import pytest
from tests.serve.running import (
    LONG_S,
    TIMEOUT_S,
    Held,
    Pixels,
    encoded,
    make_service,
    picture,
    plain,
    png_of,
    running,
    until,
)

import segruntime
from segruntime.serve.stream import HEADER


def received(socket: Any) -> tuple[tuple[int, int, int, int], bytes]:
    """Number, skipped, width, height; and the mask."""
    message = socket.recv(timeout=TIMEOUT_S)
    assert isinstance(message, bytes), message
    number, skipped, width, height = HEADER.unpack_from(message)
    return (number, skipped, width, height), message[HEADER.size :]


def refused(socket: Any) -> dict[str, Any]:
    message = socket.recv(timeout=TIMEOUT_S)
    assert isinstance(message, str)
    found: dict[str, Any] = json.loads(message)
    return found


def decoded(data: bytes) -> Pixels:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), np.uint8)


def gray(frame: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)


@pytest.mark.parametrize(("query", "preset"), [("", "balanced"), ("?preset=best", "best"), ("?preset=fast", "fast")])
def test_the_masks_are_those_of_one_refiner_for_the_whole_stream(
    real: Any, segmenter: segruntime.Segmenter, query: str, preset: str
) -> None:
    refiner = segruntime.Refiner(preset)
    calm = picture(seed=1) // 32
    frames = [np.asarray(calm + shift, np.uint8) for shift in (100, 101, 100, 180)]
    with real.stream(query) as socket:
        for number, frame in enumerate(frames, 1):
            socket.send(encoded(frame))
            header, mask = received(socket)
            assert header == (number, 0, 80, 60)
            np.testing.assert_array_equal(decoded(mask), refiner(segmenter.coarse(frame), gray(frame)))


def test_two_sockets_do_not_share_a_memory(real: Any, segmenter: segruntime.Segmenter) -> None:
    frames = [picture(seed=seed) // 32 + 90 for seed in (1, 2)]
    refiners = [segruntime.Refiner("best") for _ in frames]
    with real.stream("?preset=best") as first, real.stream("?preset=best") as second:
        for _ in range(3):
            for socket, frame, refiner in zip((first, second), frames, refiners, strict=True):
                socket.send(encoded(frame))
                _, mask = received(socket)
                np.testing.assert_array_equal(decoded(mask), refiner(segmenter.coarse(frame), gray(frame)))


def test_a_raw_mask_is_its_bytes(real: Any, segmenter: segruntime.Segmenter) -> None:
    frame = picture(seed=7)
    with real.stream("?preset=fast&format=raw") as socket:
        socket.send(encoded(frame))
        header, mask = received(socket)
    assert header == (1, 0, 80, 60)
    assert mask == segruntime.Refiner("fast")(segmenter.coarse(frame), gray(frame)).tobytes()


def test_the_newest_frame_wins_and_the_others_are_counted() -> None:
    worker = Held()
    with running(make_service([worker])) as service, service.stream("?format=raw") as socket:
        socket.send(plain(1))
        until(lambda: worker.begun == 1)
        for value in range(2, 40):
            socket.send(plain(value))
        until(lambda: skipped_in(service) == 37)
        worker.let.set()
        assert received(socket) == ((1, 0, 6, 4), bytes([1]) * 24)
        assert received(socket) == ((39, 37, 6, 4), bytes([39]) * 24)
        socket.send(plain(50))
        assert received(socket) == ((40, 0, 6, 4), bytes([50]) * 24)
        metrics = service.get("/metrics").body.decode()
        assert 'segrun_frames_total{outcome="answered"} 3.0' in metrics
        assert "segrun_sockets 1.0" in metrics


def skipped_in(service: Any) -> float:
    found = service.service.metrics.frames.labels("skipped")._value.get()
    assert isinstance(found, float)
    return found


def test_while_no_worker_is_free_a_newer_frame_takes_the_place_of_the_one_that_waits_for_it() -> None:
    worker = Held()
    with (
        running(make_service([worker])) as service,
        service.stream("?format=raw") as a,
        service.stream("?format=raw") as b,
    ):
        a.send(plain(1))
        until(lambda: worker.begun == 1)
        b.send(plain(2))
        until(lambda: service.service.pool.waiting == 1)
        b.send(plain(3))
        until(lambda: skipped_in(service) == 1)
        worker.let.set()
        assert received(b) == ((2, 1, 6, 4), bytes([3]) * 24)


def test_replies_come_in_the_order_of_their_frames_whatever_is_skipped(real: Any) -> None:
    with real.stream("?format=raw&preset=fast") as socket:
        for seed in range(60):
            socket.send(encoded(picture(seed=seed)))
        numbers, skipped = [], 0
        while not numbers or numbers[-1] < 60:
            (number, before, _, _), _ = received(socket)
            numbers.append(number)
            skipped += before
    assert numbers == sorted(set(numbers))
    assert len(numbers) + skipped == 60


def test_sockets_wait_for_a_worker_where_a_request_is_told_to_come_back() -> None:
    worker = Held()
    with running(make_service([worker], queue=0)) as service, service.stream("?format=raw") as socket:
        socket.send(plain(1))
        until(lambda: worker.begun == 1)
        assert service.post("/v1/mask", plain(2)).status == 429
        worker.let.set()
        assert received(socket)[0][0] == 1


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            b"nothing that is a picture",
            "picture: starts with 6e 6f 74 68 69 6e 67 20, expected a JPEG, PNG, WebP, HEIC or AVIF",
        ),
        (b"", "picture: starts with nothing, expected a JPEG, PNG, WebP, HEIC or AVIF"),
        (png_of(4000, 4000), "picture: declares 4000x4000 pixels, expected at most 9000000 in all"),
        (plain(1)[:40], "picture: PNG cut off (40 bytes)"),
    ],
)
def test_a_frame_that_cannot_be_used_is_told_by_its_number_and_the_stream_goes_on(
    real: Any, message: bytes, line: str
) -> None:
    with real.stream() as socket:
        socket.send(plain(1))
        assert received(socket)[0][0] == 1
        socket.send(message)
        found = refused(socket)
        assert (found["frame"], found["error"][: len(line)]) == (2, line)
        socket.send(plain(1))
        assert received(socket)[0][0] == 3


def test_a_text_message_is_told_what_is_expected(real: Any) -> None:
    with real.stream() as socket:
        socket.send("hello")
        line = "message: got text, 5 characters, expected a picture as a binary message"
        assert refused(socket) == {"frame": 0, "error": line}
        socket.send(plain(1))
        assert received(socket)[0][0] == 1


def send_and_wait(socket: Any, message: bytes) -> None:
    socket.send(message)
    socket.recv(timeout=TIMEOUT_S)


def test_a_message_over_the_limit_closes_the_socket_with_1009() -> None:
    from websockets.exceptions import ConnectionClosed

    with running(make_service([Held()], frame_bytes=1000)) as service, service.stream() as socket:
        with pytest.raises(ConnectionClosed):
            send_and_wait(socket, bytes(1001))
        assert socket.close_code == 1009


def test_a_silent_socket_is_closed_with_the_reason() -> None:
    from websockets.exceptions import ConnectionClosed

    worker = Held()
    worker.let.set()
    with running(make_service([worker], idle_s=LONG_S)) as service, service.stream() as socket:
        for count in (1, 2, 3):  # each frame begins the time anew
            socket.send(plain(1))
            assert received(socket)[0][0] == count
            service.leap(LONG_S * (0.9 if count < 3 else 1.1))
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=TIMEOUT_S)
        assert (socket.close_code, socket.close_reason) == (1008, "no frame for 1000 s")
        until(lambda: b"segrun_sockets 0.0" in service.get("/metrics").body)


def test_a_socket_too_many_is_503_before_it_opens_and_room_comes_back() -> None:
    worker = Held()
    worker.let.set()
    with running(make_service([worker], sockets=1)) as service:
        with service.stream():
            assert denied(service, "") == (503, "server: 1 sockets are open, as many as may; try again")
        until(lambda: b"segrun_sockets 0.0" in service.get("/metrics").body)
        with service.stream("?format=raw") as socket:
            socket.send(plain(1))
            assert received(socket)[0][0] == 1


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("?preset=none", "preset: got 'none', expected one of balanced, fast, best"),
        ("?fps=3", "query: got 'fps', expected one of preset, format; leave it out"),
    ],
)
def test_an_option_that_cannot_be_used_is_422_before_the_socket_opens(real: Any, query: str, line: str) -> None:
    assert denied(real, query) == (422, line)


def denied(service: Any, query: str, **options: Any) -> tuple[int, str]:
    from websockets.exceptions import InvalidStatus

    with pytest.raises(InvalidStatus) as caught:
        service.stream(query, **options)
    response = caught.value.response
    return response.status_code, json.loads(response.body or b"")["error"]


def test_a_page_of_another_origin_opens_no_socket(real: Any) -> None:
    assert denied(real, "", origin="https://stranger.example")[0] == 403
    for origin in ("https://friend.example", f"http://127.0.0.1:{real.port}"):
        with real.stream(origin=origin) as socket:
            socket.send(plain(1))
            assert received(socket)[0][0] == 1


def test_a_client_that_does_not_read_gets_the_newest_mask_when_it_does_and_costs_no_memory() -> None:
    worker = Held()
    worker.let.set()
    frames = [encoded(np.full((1500, 1500, 3), value, np.uint8), ".png") for value in range(4)]
    with (
        running(make_service([worker])) as service,
        service.stream("?format=raw", max_queue=1, max_size=None) as socket,
    ):
        for count in range(60):
            socket.send(frames[count % 4])
        until(lambda: skipped_in(service) > 0)
        numbers = []
        while not numbers or numbers[-1] < 60:
            numbers.append(received(socket)[0][0])
        assert numbers == sorted(set(numbers))
        assert len(numbers) < 60


def test_stopping_closes_the_sockets() -> None:
    from websockets.exceptions import ConnectionClosed

    with ExitStack() as stack:
        service = stack.enter_context(running(make_service([Held()])))
        with service.stream() as socket:
            stack.close()
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=TIMEOUT_S)
    assert socket.close_code == 1012
