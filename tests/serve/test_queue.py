"""More requests than workers: some wait, the rest is told to come back; nothing waits for ever."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from tests.serve.running import LONG_S, Answer, Held, Running, make_service, plain, read_reply, running, until


@contextmanager
def clients() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as threads:
        yield threads


def post(service: Running) -> Answer:
    return service.post("/v1/mask", plain(5))


def test_a_full_queue_is_429_with_retry_after_and_those_in_it_are_answered() -> None:
    worker = Held()
    with running(make_service([worker], queue=2)) as service, clients() as threads:
        taken: list[Future[Answer]] = []
        for count in range(3):  # one in work, two in the queue
            taken.append(threads.submit(post, service))
            until(lambda count=count: service.service.pool.busy + service.service.pool.waiting == count + 1)  # type: ignore[misc]
        for _ in range(5):
            answer = post(service)
            assert (answer.status, answer.headers["retry-after"]) == (429, "1")
            assert answer.error == "server: 1 pictures in work and 2 waiting, as many as may; try again"
        assert service.get("/health").status == 200
        worker.let.set()
        assert [future.result().status for future in taken] == [200] * 3
        assert post(service).status == 200


def test_a_connection_that_was_told_429_lives_on_once_its_body_has_come() -> None:
    worker = Held()
    limits = {"queue": 0, "linger_s": LONG_S, "header_s": 10 * LONG_S, "work_s": 10 * LONG_S}
    with running(make_service([worker], **limits)) as service, clients() as threads, service.connect() as connection:
        first = threads.submit(post, service)
        until(lambda: service.service.pool.busy == 1)
        connection.sendall(b"POST /v1/mask HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345")
        assert read_reply(connection).startswith(b"HTTP/1.1 429 ")
        connection.sendall(b"67890")
        service.leap(LONG_S * 1.1)
        connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
        assert read_reply(connection).startswith(b"HTTP/1.1 200 ")
        worker.let.set()
        assert first.result().status == 200


def test_without_a_queue_a_second_request_is_429() -> None:
    worker = Held()
    with running(make_service([worker], queue=0)) as service, clients() as threads:
        first = threads.submit(post, service)
        until(lambda: service.service.pool.busy == 1)
        assert post(service).status == 429
        worker.let.set()
        assert first.result().status == 200


def test_every_worker_is_used() -> None:
    workers = [Held(), Held(), Held()]
    with running(make_service(list(workers))) as service, clients() as threads:
        answers = [threads.submit(post, service) for _ in range(3)]
        until(lambda: service.service.pool.busy == 3)
        assert [worker.begun for worker in workers] == [1, 1, 1]
        for worker in workers:
            worker.let.set()
        assert [answer.result().status for answer in answers] == [200] * 3


def test_a_picture_that_takes_too_long_is_503_and_the_health_says_that_the_worker_hangs() -> None:
    worker = Held()
    with running(make_service([worker], work_s=LONG_S)) as service, clients() as threads:
        first = threads.submit(post, service)
        until(lambda: service.service.pool.busy == 1)
        second = threads.submit(post, service)
        until(lambda: service.service.pool.waiting == 1)
        service.leap(LONG_S * 0.9)
        assert service.get("/health").status == 200
        assert (service.service.pool.busy, service.service.pool.waiting) == (1, 1)
        service.leap(LONG_S * 0.2)
        assert (first.result().status, second.result().status) == (503, 503)
        line = "server: the picture was not done in 1000 s; try again later, or a smaller picture"
        assert first.result().error == line
        assert second.result().error == "server: no worker was free in 1000 s; try again later, or a smaller picture"
        health = service.get("/health")
        assert (health.status, b'"status":"stuck"' in health.body) == (503, True)
        assert service.get("/health/live").status == 200
        worker.let.set()
        until(lambda: service.get("/health").status == 200)
        assert post(service).status == 200


def test_a_client_that_leaves_gives_its_place_back() -> None:
    worker = Held()
    body = plain(5)
    with running(make_service([worker], queue=1)) as service:
        with service.connect() as connection:
            connection.sendall(b"POST /v1/mask HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            until(lambda: service.service.pool.busy == 1)
        worker.let.set()
        until(lambda: service.service.pool.busy == 0 and service.service.budget.held_bytes == 0)
        assert post(service).status == 200


def test_bodies_that_together_take_too_much_memory_are_503() -> None:
    worker = Held()
    worker.let.set()
    with running(make_service([worker], held_bytes=100_000)) as service, service.connect() as connection:
        connection.sendall(b"POST /v1/mask HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n" + bytes(99_990))
        until(lambda: service.service.budget.held_bytes == 99_990)
        answer = post(service)
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
        assert answer.error == "server: pictures of 100000 bytes are in memory, as many as may be; try again"
        connection.close()
        until(lambda: service.service.budget.held_bytes == 0)
        assert post(service).status == 200


class Failing(Held):
    def alpha(self, frame: object, preset: str | None) -> object:  # type: ignore[override]
        raise RuntimeError("a fault")


def test_a_fault_is_500_and_the_worker_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    with running(make_service([Failing()])) as service:
        for _ in range(3):
            answer = post(service)
            assert (answer.status, answer.error) == (500, "server: RuntimeError; its log says more")
        assert service.service.pool.busy == 0


def test_stopping_finishes_what_is_in_work() -> None:
    worker = Held()
    with clients() as threads:
        with running(make_service([worker])) as service:
            answer = threads.submit(post, service)
            until(lambda: service.service.pool.busy == 1)
            stopping = threads.submit(until, lambda: not service.server.servers[0].is_serving())
            stopping.add_done_callback(lambda _: worker.let.set())
        assert answer.result().status == 200
        stopping.result()
