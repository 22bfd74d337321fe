"""Workers on this machine, each a process with an interpreter of its own; one that dies is started again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from pathlib import Path

import cv2

from segruntime.errors import SegRuntimeError
from segruntime.jobs.unit import Outcome, Unit
from segruntime.jobs.unit_queue import UnitQueue
from segruntime.jobs.worker import UnitWorker, Work
from segruntime.segmenter import default_threads

_LOOK_S = 0.2
_STDERR = 2


class Processes:
    """An executor (see `executors`) of so many processes."""

    def __init__(self, work: Work, workers: int, limit_bytes: int | None = None) -> None:
        """`limit_bytes`: of memory for each; one that takes more is killed, and started again."""
        self._limit_bytes = limit_bytes
        if work.options.threads is None:
            work = replace(work, options=replace(work.options, threads=max(1, default_threads() // workers)))
        self._children = [Child(work) for _ in range(workers)]

    def run(self, units: Iterator[Unit]) -> Generator[Outcome, None, None]:
        """The outcome of each unit, as they come."""
        queue = UnitQueue(units)
        try:
            while True:
                for child in self._children:
                    while (unit := queue.next_for(child.units)) is not None:
                        child.give(unit)
                busy = [child for child in self._children if child.units]
                if not busy:
                    return
                yield from self._heard(busy, queue)
        finally:
            for child in self._children:
                child.end()

    def _heard(self, busy: list[Child], queue: UnitQueue) -> Iterator[Outcome]:
        ready = wait([child.pipe for child in busy], timeout=_LOOK_S)
        for child in busy:
            if self._limit_bytes and child.memory_bytes() > self._limit_bytes:
                child.kill(f"took more than {self._limit_bytes >> 20} MB of memory")
            elif child.pipe in ready:
                try:
                    yield child.take()
                except (EOFError, OSError):
                    yield from queue.after_death(*child.buried())


class Child:
    """One process, started when it gets its first unit. `units`: what it has been given and not answered."""

    pipe: Connection

    def __init__(self, work: Work) -> None:
        self.units: deque[Unit] = deque()
        self._work = work
        self._process: multiprocessing.process.BaseProcess | None = None
        self._why: str | None = None

    def give(self, unit: Unit) -> None:
        if self._process is None:
            self._start()
        self.units.append(unit)
        with suppress(OSError):  # of a dead one, which the next look at its pipe tells
            self.pipe.send(unit)

    def take(self) -> Outcome:
        """What it has to say.

        Raises:
            EOFError, OSError: it is dead. SegRuntimeError: it cannot work at all.
        """
        said = self.pipe.recv()
        if isinstance(said, str):
            raise SegRuntimeError(said)
        self.units.popleft()
        outcome: Outcome = said
        return outcome

    def memory_bytes(self) -> int:
        """What the process holds of the machine's memory; 0 where the system does not say."""
        try:
            pages = Path(f"/proc/{self._process.pid if self._process else 0}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def kill(self, why: str) -> None:
        """End it at once; `why` is what is said of it."""
        self._why = why
        if self._process is not None:
            self._process.kill()

    def buried(self) -> tuple[list[Unit], str]:
        """After a death: the units that it leaves, and how it died. The next `give` starts it anew."""
        assert self._process is not None  # noqa: S101 - it had units
        self._process.join()
        left, why = list(self.units), self._why or f"died ({_death(self._process.exitcode or 0)})"
        self.units.clear()
        self.pipe.close()
        self._process, self._why = None, None
        return left, why

    def end(self) -> None:
        """At once, with what it has in work: that is done again."""
        if self._process is not None:
            self._process.kill()
            self.buried()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, self._work), daemon=True)
        self._process.start()
        other.close()


def _death(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit code {exit_code}"
    name = signal.Signals(-exit_code).name
    return f"{name}, as when the memory is full" if name == "SIGKILL" else name


def _serve(pipe: Connection, work: Work) -> None:
    """A worker's process: units in, outcomes out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the whole group, by Ctrl-C: the one that started it decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(work.options.threads or 1)
    worker = UnitWorker(work)
    try:
        with _without_chatter():
            worker.segmenter()
        for outcome in worker.run(_received(pipe)):
            pipe.send(outcome)
    except SegRuntimeError as error:
        pipe.send(str(error))
    except (EOFError, OSError):
        pass  # nobody listens any more


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Inside, LiteRT's "INFO:" lines on standard error go nowhere: it writes them in pieces, and those of several workers mix.

    What else is said there is said afterwards. Nothing else may run in this process meanwhile.
    """
    if sys.stderr is None:  # closed
        yield
        return
    out, into = os.pipe()
    os.set_blocking(into, False)  # what does not fit into the pipe is lost, rather than that the worker waits for ever
    error = os.dup(_STDERR)
    os.dup2(into, _STDERR)
    os.close(into)
    try:
        yield
    finally:
        os.dup2(error, _STDERR)
        os.close(error)
        with open(out, "rb") as said:
            left = b"".join(line for line in said if not line.startswith(b"INFO:"))
        with suppress(OSError):  # nobody reads it any more
            os.write(_STDERR, left)


def _received(pipe: Connection) -> Iterable[Unit]:
    return iter(pipe.recv, None)


def _end_with_parent() -> None:
    """A killed parent cannot end its workers: they would go on with units that its successor does too."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
