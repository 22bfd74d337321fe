"""Interlaced frames → whole ones: each field's missing lines are made from the fields around it, one frame for each frame.

By libavfilter's bwdif (Weston's three-field filter of the BBC with yadif's edges), which looks one frame back and one ahead and
takes the order of the fields from the frame. Frames that are not flagged as interlaced go through it as they are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from segruntime.run.video.av_library import require_av

NOTE = "the input is interlaced: each frame's missing lines were made new (bwdif), one frame for each"
_SMALLEST = 3  # of a plane's sides, for bwdif
Extra = TypeVar("Extra")


class Deinterlacer:
    """Starts at the first interlaced frame; until then frames go by. `started`: that one has come."""

    def __init__(self) -> None:
        self._av = require_av()
        self.started = False
        self._graph: Any = None
        self._form: object = None
        self._inside: deque[tuple[int, Any, Any]] = deque()

    def __call__(self, frames: Iterable[tuple[Any, Extra]]) -> Iterator[tuple[Any, Extra]]:
        """PyAV frames with times, each with what belongs to it → as many, at the same times."""
        for frame, extra in frames:
            self.started = self.started or frame.interlaced_frame
            form = frame.format.name, frame.width, frame.height
            if form != self._form:
                yield from self._flushed()
            if (
                not self.started
                or min(frame.format.chroma_width(form[1]), frame.format.chroma_height(form[2])) < _SMALLEST
            ):
                yield frame, extra
                continue
            if self._graph is None:
                self._form, self._graph = form, self._new_graph(frame)
            self._inside.append((frame.pts, frame.time_base, extra))
            self._graph.push(frame)
            yield from self._ready()
        yield from self._flushed()

    @property
    def waiting(self) -> list[Any]:
        """What belongs to the frames that are inside."""
        return [extra for _, _, extra in self._inside]

    def _flushed(self) -> Iterator[tuple[Any, Any]]:
        if self._graph is not None:
            self._graph.push(None)
            yield from self._ready()
        self._graph = self._form = None

    def _ready(self) -> Iterator[tuple[Any, Any]]:
        while self._inside:
            try:
                frame = self._graph.pull()
            except (self._av.error.BlockingIOError, self._av.error.EOFError):
                return
            frame.pts, frame.time_base, extra = self._inside.popleft()
            yield frame, extra

    def _new_graph(self, frame: Any) -> Any:
        graph = self._av.filter.Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
        sink = graph.add("buffersink")
        source.link_to(bwdif)
        bwdif.link_to(sink)
        graph.configure()
        return graph
