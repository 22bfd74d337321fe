"""A converter in a child process: with a time limit, with its progress passed on, and dead when we are."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from segexport.errors import ConversionError

Progress = Callable[[str], None]
_TAIL = 40


class Child:
    """`python -m module` at work in `folder`; a context that kills it at the end.

    It loads its libraries at once and waits for its job, one line of JSON on its standard input. It prints one JSON object a
    line: `{"progress": text}`, and at the end `{"result": …}` or `{"error": text}`. It ends itself when its standard input
    closes, so that a killed parent leaves nobody behind. Ctrl-C reaches its parent only.
    """

    def __init__(self, module: str, folder: Path, *, limit_s: float) -> None:
        self._step = "conversion"
        self._limit_s = limit_s
        self._deadline = time.monotonic() + limit_s
        self._log = folder / f"{module.rsplit('.', 1)[-1]}.log"
        self._lines: queue.Queue[str | None] = queue.Queue()
        with self._log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
        threading.Thread(target=_pump, args=(self._process.stdout, self._lines), daemon=True).start()

    def begin(self, job: dict[str, Any]) -> None:
        """Give it its job; its time runs from now."""
        self._step = str(job.get("step", self._step))
        self._deadline = time.monotonic() + self._limit_s
        with contextlib.suppress(BrokenPipeError):  # it ended at once; `result` tells its last words
            self._stdin.write(json.dumps(job) + "\n")
            self._stdin.flush()

    @property
    def _stdin(self) -> IO[str]:
        if self._process.stdin is None:
            raise ConversionError(f"{self._step}: the child process has no pipes")
        return self._process.stdin

    def result(self, progress: Progress) -> dict[str, Any]:
        """Wait for its result.

        Raises:
            ConversionError: it failed, was killed, or ran longer than its limit.
        """
        while True:
            message = self._next()
            if "error" in message:
                raise ConversionError(f"{self._step}: {message['error']}")
            if "result" in message:
                return dict(message["result"])
            if "progress" in message:
                progress(str(message["progress"]))

    def _next(self) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=max(0.0, self._deadline - time.monotonic()))
        except queue.Empty:
            raise ConversionError(
                f"{self._step}: no end after {self._limit_s:.0f} s, stopped; "
                "give more time with --timeout SECONDS, or a smaller --size"
            ) from None
        if line is None:
            code = self._process.wait()
            raise ConversionError(
                f"{self._step}: the converter ended with code {code} and no result ({_last_words(self._log)})"
            )
        return _parse(line)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            _close(stream)


def run_child(module: str, job: dict[str, Any], folder: Path, *, limit_s: float, progress: Progress) -> dict[str, Any]:
    """Run a `Child` to its end.

    Raises:
        ConversionError: it failed, was killed, or ran longer than `limit_s` seconds.
    """
    with Child(module, folder, limit_s=limit_s) as child:
        child.begin(job)
        return child.result(progress)


def _pump(stream: IO[str] | None, lines: queue.Queue[str | None]) -> None:
    with contextlib.suppress(ValueError):  # closed while reading: the parent has its answer
        for line in stream or ():
            lines.put(line)
    lines.put(None)


def _parse(line: str) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        return {}  # a library that prints
    return message if isinstance(message, dict) else {}


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines()[-_TAIL:] if line.strip()]
    return lines[-1][:300] if lines else "it said nothing; was it out of memory?"


def _close(stream: IO[str] | None) -> None:
    if stream is not None:
        with contextlib.suppress(BrokenPipeError):
            stream.close()
