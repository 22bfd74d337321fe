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


def run_child(module: str, job: dict[str, Any], folder: Path, *, limit_s: float, progress: Progress) -> dict[str, Any]:
    """Run `python -m module` in `folder` with `job` as JSON on standard input; its last JSON line is the result.

    The child prints one JSON object a line: `{"progress": text}`, and at the end `{"result": …}` or `{"error": text}`. It ends
    itself when its standard input closes, so that a killed parent leaves nobody behind.

    Raises:
        ConversionError: it failed, was killed, or ran longer than `limit_s` seconds.
    """
    log = folder / f"{module.rsplit('.', 1)[-1]}.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
        )
        try:
            return _talk(process, job, log, limit_s, progress)
        finally:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                _close(stream)


def _talk(
    process: subprocess.Popen[str], job: dict[str, Any], log: Path, limit_s: float, progress: Progress
) -> dict[str, Any]:
    step = str(job.get("step", "conversion"))
    if process.stdin is None or process.stdout is None:
        raise ConversionError(f"{step}: the child process has no pipes")
    with contextlib.suppress(BrokenPipeError):  # it ended at once; its last words follow
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_pump, args=(process.stdout, lines), daemon=True).start()
    deadline = time.monotonic() + limit_s
    while True:
        try:
            line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise ConversionError(
                f"{step}: no end after {limit_s:.0f} s, stopped; give more time with --timeout SECONDS, or a smaller --size"
            ) from None
        if line is None:
            code = process.wait()
            raise ConversionError(f"{step}: the converter ended with code {code} and no result ({_last_words(log)})")
        message = _parse(line)
        if "error" in message:
            raise ConversionError(f"{step}: {message['error']}")
        if "result" in message:
            return dict(message["result"])
        if "progress" in message:
            progress(str(message["progress"]))


def _pump(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    with contextlib.suppress(ValueError):  # closed while reading: the parent has its answer
        for line in stream:
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
