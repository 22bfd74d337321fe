"""Stages that run at the same time, each on a thread of its own, with little between them.

Order is kept, the queues are bounded, and an error in any stage ends all of them and comes out where the results do.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

DEPTH = 3  # items between two stages: enough to even out slow frames, few enough for a small memory


class _ClosedError(Exception):
    """Nobody puts or gets any more."""


class Channel:
    """A bounded queue between two threads that either side can close.

    With `merge`, a full channel does not make the sender wait: the oldest item is merged into the next one and counted
    as dropped.
    """

    def __init__(self, depth: int = DEPTH, merge: Callable[[Any, Any], Any] | None = None) -> None:
        self.dropped = 0
        self._depth, self._merge = depth, merge
        self._items: deque[Any] = deque()
        self._changed = threading.Condition()
        self._ended = self._closed = False

    def put(self, item: Any) -> None:
        """Raises _ClosedError: the receiver is gone."""
        with self._changed:
            if self._merge is not None and len(self._items) >= self._depth:
                item = self._merge(self._items.pop(), item)
                self.dropped += 1
            while len(self._items) >= self._depth and not self._closed:
                self._changed.wait()
            if self._closed:
                raise _ClosedError
            self._items.append(item)
            self._changed.notify_all()

    def end(self) -> None:
        """No more will be put; what is inside still comes out."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def close(self) -> None:
        """At once, for both sides."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Any]:
        while True:
            with self._changed:
                while not self._items and not self._ended and not self._closed:
                    self._changed.wait()
                if self._closed or not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item


class Overlap:
    """`source` → each of `stages` in turn → an iterator of results; everything but the iteration runs on threads.

    `busy_s[k]` is how long stage k (0: the source) worked, waiting left out. `newest_wins` joins two waiting items of
    a live source by `newest_wins(older, newer)` instead of making the source wait; `dropped` counts them.
    """

    def __init__(
        self,
        source: Iterable[Any],
        stages: Sequence[Callable[[Any], Any]],
        *,
        newest_wins: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        self.busy_s = [0.0] * (1 + len(stages))
        self._source, self._stages = source, stages
        first = Channel(1, newest_wins) if newest_wins else Channel()
        self._channels = [first, *(Channel() for _ in stages)]
        self._error: BaseException | None = None
        self._stopped = False  # no Event: a signal handler could find its lock taken

    @property
    def dropped(self) -> int:
        """Frames of a live source that a newer one replaced."""
        return self._channels[0].dropped

    def stop(self) -> None:
        """Take no more from the source; what is under way still comes out. Safe in a signal handler."""
        self._stopped = True

    def __iter__(self) -> Iterator[Any]:
        threads = [
            threading.Thread(target=self._guarded, args=(k,), name=f"segrun-{k}", daemon=True)
            for k in range(len(self._channels))
        ]
        for thread in threads:
            thread.start()
        try:
            yield from self._channels[-1]
        finally:
            self._stopped = True
            for channel in self._channels:
                channel.close()
            for thread in threads:
                thread.join(timeout=10)
        if self._error is not None:
            raise self._error

    def _guarded(self, k: int) -> None:
        try:
            if k == 0:
                self._read()
            else:
                self._work(k)
        except _ClosedError:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised again on the thread that takes the results
            self._error = self._error or error
            for channel in self._channels:
                channel.close()
        finally:
            self._channels[k].end()

    def _read(self) -> None:
        target, clock = self._channels[0], time.perf_counter
        items = iter(self._source)
        while not self._stopped:
            start = clock()
            item = next(items, _END)
            self.busy_s[0] += clock() - start
            if item is _END:
                return
            target.put(item)

    def _work(self, k: int) -> None:
        stage, target, clock = self._stages[k - 1], self._channels[k], time.perf_counter
        for item in self._channels[k - 1]:
            start = clock()
            result = stage(item)
            self.busy_s[k] += clock() - start
            target.put(result)


_END = object()
