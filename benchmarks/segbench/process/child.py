"""A process that answers: one JSON line in, one JSON line out. In a fresh one nothing is warm, loaded or fragmented."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Literal

from segbench.errors import ChildDiedError, WorkerError
from segbench.process.interrupt import Interrupt
from segbench.process.job import LARGEST_SIDE, Job
from segbench.worker import START
from segruntime.strict_json import Fields

Task = Literal["check", "measure", "profile"]


class Child:
    """`command` in a process of its own that runs `segbench.process.answers.answer_requests`; a context that ends it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], *, own_session: bool = False) -> None:
        """`environment`: what it has besides ours. `own_session`: Ctrl-C does not reach it.

        Raises:
            OSError: it cannot be started.
        """
        self._said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115, it lives as long as the process
        self._buffer = b""
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, **environment},
            start_new_session=own_session,
        )

    def ask(self, request: Mapping[str, object], longest_s: float | None = None) -> Fields:
        """What it answers to one request.

        Raises:
            WorkerError: it refused, with its words, took longer than `longest_s`, or said something else.
            ChildDiedError: it ended.
        """
        assert self.process.stdin is not None  # noqa: S101, asked for above
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended; reading its answer tells why
        line = self._line(longest_s)
        try:
            answer = Fields(json.loads(line))
        except ValueError as error:
            raise WorkerError(f"answered {line[:80]!r}, expected a JSON object") from error
        refused = answer.optional("error", answer.string)
        if refused is not None:
            raise WorkerError(refused)
        return answer.part("result")

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()
        self._said.close()

    def _line(self, longest_s: float | None) -> bytes:
        assert self.process.stdout is not None  # noqa: S101, asked for above
        end = None if longest_s is None else time.monotonic() + longest_s
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(None if end is None else max(0.0, end - time.monotonic())):
                    raise WorkerError(f"gave no answer within {longest_s:g} s")
                got = os.read(self.process.stdout.fileno(), 1 << 20)
                if not got:
                    raise ChildDiedError(self.process.wait(), self._last_words())
                self._buffer += got
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = [line.strip() for line in self._said.read().splitlines() if line.strip()]
        return lines[-1][:300] if lines else ""


def run_worker(task: Task, job: Job, interrupt: Interrupt | None = None) -> Fields:
    """Do `task` in a process of its own; → the JSON of what it found. `interrupt` learns which process, to end it early.

    Raises:
        WorkerError: it refused the job (with its words), or died (with its last ones).
    """
    pixels = {"OPENCV_IO_MAX_IMAGE_PIXELS": str(LARGEST_SIDE**2)}
    with Child([sys.executable, "-c", START, task], pixels) as child:
        if interrupt is not None:
            interrupt.child = child.process
        try:
            return child.ask(job.to_json())
        except ChildDiedError as error:
            raise WorkerError(
                f"the measuring process ended with code {error.code} and no result ({error.words or 'it said nothing'}); "
                "a negative code is a signal: -9 out of memory, -11 a crash inside the interpreter"
            ) from error
