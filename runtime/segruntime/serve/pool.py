"""A few workers, each on a thread, and a queue before them that has an end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, TypeVar

import anyio

from segruntime.serve.errors import RefusedError
from segruntime.serve.limits import Limits
from segruntime.serve.worker import Worker

Result = TypeVar("Result")
Job = Callable[[Worker], Result]
_RETRY_S = 1


class Pool:
    """First come, first served. Everything but the jobs themselves happens on the event loop."""

    def __init__(self, workers: Sequence[Worker], limits: Limits) -> None:
        self.size = len(workers)
        self.waiting = 0
        self._limits = limits
        self._gate = asyncio.Semaphore(self.size)
        self._threads = ThreadPoolExecutor(self.size, thread_name_prefix="segrun-worker")
        self._free: SimpleQueue[Worker] = SimpleQueue()
        self._begun: dict[asyncio.Future[Any], float] = {}
        for worker in workers:
            self._free.put(worker)

    @property
    def busy(self) -> int:
        """How many workers have a job."""
        return len(self._begun)

    @property
    def stuck(self) -> int:
        """How many of the jobs take longer than any may."""
        now = asyncio.get_running_loop().time()
        return sum(now - begun > self._limits.work_s for begun in self._begun.values())

    def check_room(self) -> None:
        """Raises RefusedError (429): all workers have a job and the queue is full."""
        if self._gate.locked() and self.waiting >= self._limits.queue:
            raise RefusedError(
                429,
                f"server: {self.busy} pictures in work and {self.waiting} waiting, as many as may; try again",
                retry_after_s=_RETRY_S,
            )

    async def run(self, choose: Callable[[], Job[Result]]) -> Result:
        """The result of a job on the next free worker; `choose` names the job when there is one.

        Raises:
            RefusedError: no worker was free in time, or the job takes too long (503).
        """
        await self._turn()
        try:
            job = choose()
            future = asyncio.get_running_loop().run_in_executor(self._threads, self._work, job)
        except BaseException:
            self._gate.release()
            raise
        self._begun[future] = asyncio.get_running_loop().time()
        future.add_done_callback(self._done)
        try:
            with anyio.fail_after(self._limits.work_s):
                # a thread cannot be stopped: its worker stays taken until the job ends by itself
                return await asyncio.shield(future)
        except TimeoutError:
            raise self._late("the picture was not done") from None

    def close(self) -> None:
        """Jobs that have begun end by themselves; no new ones."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _turn(self) -> None:
        self.waiting += 1
        try:
            with anyio.fail_after(self._limits.work_s):
                await self._gate.acquire()
        except TimeoutError:
            raise self._late("no worker was free") from None
        finally:
            self.waiting -= 1

    def _work(self, job: Job[Result]) -> Result:
        worker = self._free.get()
        try:
            return job(worker)
        finally:
            self._free.put(worker)

    def _done(self, future: asyncio.Future[Any]) -> None:
        del self._begun[future]
        self._gate.release()
        if not future.cancelled():
            future.exception()  # nobody may be left to ask, and an unasked one is complained about

    def _late(self, what: str) -> RefusedError:
        return RefusedError(
            503,
            f"server: {what} in {self._limits.work_s:g} s; try again later, or a smaller picture",
            retry_after_s=_RETRY_S,
        )
