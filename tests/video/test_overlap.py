"""The pipeline: order, bounded queues, errors that end all of it, and live sources of which the newest frame wins."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import segruntime.run.pipeline as overlap_module
from segruntime.run.pipeline import DEPTH, Channel, Overlap

LIMIT_S = 60  # of what comes at once, on a machine that has much else to do


def living() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("segrun-")]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert living() == []


class OddError(Exception):
    """An error that the pipeline knows nothing of."""


def counted(n: int, taken: list[int]) -> Iterator[int]:
    for i in range(n):
        taken.append(i)
        yield i


def fails_at(n: int, error: BaseException) -> Callable[[int], int]:
    def stage(item: int) -> int:
        if item == n:
            raise error
        return item

    return stage


def test_results_come_in_order_through_stages_of_uneven_speed() -> None:
    def uneven(item: int) -> int:
        time.sleep((item * 7 % 5) / 2000)
        return item * 10

    assert list(Overlap(range(60), [uneven, lambda item: item + 1])) == [10 * i + 1 for i in range(60)]


def test_without_stages_the_source_comes_through() -> None:
    assert list(Overlap(range(5), [])) == [0, 1, 2, 3, 4]


def test_nothing_gives_nothing() -> None:
    assert list(Overlap([], [lambda item: item])) == []


@pytest.mark.parametrize("stages", [0, 1, 3])
def test_the_source_is_not_read_far_ahead_of_a_slow_consumer(stages: int) -> None:
    """Each queue holds DEPTH items, and each thread one in its hands."""
    taken: list[int] = []
    most = (stages + 1) * (DEPTH + 1)
    for result in Overlap(counted(40, taken), [lambda item: item] * stages):
        time.sleep(0.005)
        assert len(taken) - (result + 1) <= most


def test_stages_run_at_the_same_time() -> None:
    """Both have to be inside at once for the barrier to open."""
    barrier = threading.Barrier(2)

    def meet(item: int) -> int:
        barrier.wait(timeout=LIMIT_S)
        return item

    assert list(Overlap(range(2), [lambda i: meet(i) if i == 1 else i, lambda i: meet(i) if i == 0 else i])) == [0, 1]


@pytest.mark.parametrize("stage", [0, 1, 2])
@pytest.mark.parametrize("error", [OddError("odd"), KeyError("key"), MemoryError()])
def test_an_error_in_a_stage_comes_out_unchanged(stage: int, error: BaseException) -> None:
    stages: list[Callable[[Any], Any]] = [lambda item: item] * 3
    stages[stage] = fails_at(5, error)
    with pytest.raises(type(error)) as caught:
        list(Overlap(range(1000), stages))
    assert caught.value is error


def test_an_error_in_the_source_comes_out_unchanged() -> None:
    error = OddError("odd")

    def source() -> Iterator[int]:
        yield 1
        raise error

    with pytest.raises(OddError) as caught:
        list(Overlap(source(), [lambda item: item]))
    assert caught.value is error


def test_an_error_where_the_results_are_taken_ends_the_threads() -> None:
    error = OddError("odd")

    def consume() -> None:
        for result in Overlap(range(10**9), [lambda item: item]):
            fails_at(3, error)(result)

    with pytest.raises(OddError) as caught:
        consume()
    assert caught.value is error
    assert living() == []


def test_leaving_the_loop_ends_the_threads() -> None:
    for result in Overlap(range(10**9), [lambda item: item]):
        if result == 3:
            assert living() != []
            break
    assert living() == []


def test_stop_lets_out_what_is_under_way() -> None:
    taken: list[int] = []
    overlap = Overlap(counted(10**9, taken), [lambda item: item] * 2)
    results = []
    for result in overlap:
        results.append(result)
        if result == 4:
            overlap.stop()
    assert results == taken
    assert len(taken) <= 5 + 3 * (DEPTH + 1)


def test_stop_before_the_start_reads_nothing() -> None:
    taken: list[int] = []
    overlap = Overlap(counted(5, taken), [])
    overlap.stop()
    assert list(overlap) == []
    assert taken == []


def test_of_a_live_source_the_newest_wins_and_what_it_replaces_is_joined_and_counted() -> None:
    """The source ends while the one slow stage holds its first item: all between come as one."""
    all_taken = threading.Event()

    def source() -> Iterator[list[int]]:
        for i in range(20):
            yield [i]
        all_taken.set()

    def slow(item: list[int]) -> list[int]:
        assert all_taken.wait(timeout=LIMIT_S)
        return item

    overlap = Overlap(source(), [slow], newest_wins=lambda older, newer: older + newer)
    results = list(overlap)
    assert [item for result in results for item in result] == list(range(20))  # each is there once, in order
    assert len(results) <= 3
    assert overlap.dropped == 20 - len(results)


def test_a_live_source_that_is_slow_loses_nothing() -> None:
    """It gives the next one only when the one before has been taken out of the queue."""
    free = threading.Semaphore()

    def source() -> Iterator[int]:
        for i in range(5):
            assert free.acquire(timeout=LIMIT_S)
            yield i

    overlap = Overlap(source(), [lambda item: (free.release(), item)[1]], newest_wins=lambda _, newer: newer)
    assert list(overlap) == [0, 1, 2, 3, 4]
    assert overlap.dropped == 0


def test_the_working_time_of_a_stage_leaves_waiting_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that the work alone moves: while the source works two seconds, the stage waits, and then works three."""
    free, clock = threading.Semaphore(), SimpleNamespace(now=0.0)
    monkeypatch.setattr(overlap_module, "time", SimpleNamespace(perf_counter=lambda: clock.now))

    def source() -> Iterator[int]:
        for i in range(5):
            assert free.acquire(timeout=LIMIT_S)  # until the one before is all done
            clock.now += 2
            yield i

    def stage(item: int) -> int:
        clock.now += 3
        return item

    overlap = Overlap(source(), [stage])
    for _ in overlap:
        free.release()
    assert overlap.busy_s[1] == 5 * 3
    assert overlap.busy_s[0] >= 5 * 2


def test_a_closed_channel_frees_both_sides() -> None:
    channel = Channel(depth=1)
    channel.put(1)
    ended: list[str] = []

    def sender() -> None:
        try:
            channel.put(2)
        except Exception as error:  # noqa: BLE001 - which one it is, is the point
            ended.append(type(error).__name__)

    thread = threading.Thread(target=sender)
    thread.start()
    channel.close()
    thread.join(timeout=LIMIT_S)
    assert ended == ["_ClosedError"]
    assert list(channel) == []
