"""A converter in a child process: with a time limit, with its progress passed on, and dead when we are."""

from __future__ import annotations

import contextlib
import json
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from segexport.errors import ConversionError, MissingExtraError
from segexport.process.environment import UMASK, made_environment

Progress = Callable[[str], None]
_TAIL = 40
_START = Path(__file__).with_name("start.py")


class Child:
    """`worker`, a file, at work in a new room of its own in `playground`; a context that kills it and clears the room.

    It loads its libraries at once and waits for jobs, each one line of JSON on its standard input. It prints one JSON object
    a line: `{"progress": text}`, and at the end of a job `{"result": …}`, or `{"error": text}` and is gone. It ends itself when
    its standard input closes, so that a killed parent leaves nobody behind. Ctrl-C reaches its parent only.

    Its environment is made (`environment.py`). It works in `folder`, empty at first: what it is given is copied in, what it
    makes is copied out. `tools`: where its packages are if not its interpreter's own.
    """

    def __init__(
        self,
        worker: Path,
        playground: Path,
        *,
        limit_s: float,
        tools: Sequence[Path] = (),
        interpreter: str = sys.executable,
    ) -> None:
        self._step = "conversion"
        self._limit_s = limit_s
        self._deadline = time.monotonic() + limit_s
        self._room = Path(tempfile.mkdtemp(prefix=f"{worker.stem}-", dir=playground)).absolute()
        self.folder = self._room / "work"
        self.folder.mkdir()
        self._log = self._room / "log"
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._process = self._start([interpreter, str(_START), str(worker), *map(str, tools)])
        threading.Thread(target=_pump, args=(self._process.stdout, self._lines), daemon=True).start()

    def _start(self, command: list[str]) -> subprocess.Popen[str]:
        environment = made_environment(self._room)
        with self._log.open("wb") as errors:
            try:
                return subprocess.Popen(
                    command,
                    cwd=self.folder,
                    env=environment,
                    umask=UMASK,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    encoding="utf-8",
                    start_new_session=True,
                )
            except OSError as error:
                raise ConversionError(
                    f"{self._step}: {command[0]!r} cannot be started ({error.strerror}); expected a Python that has the tools"
                ) from error

    def begin(self, job: dict[str, Any]) -> None:
        """Give it a job; the time for it runs from now."""
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

    @property
    def code(self) -> int | None:
        """What it ended with, below zero by a signal; None while it lives."""
        return self._process.poll()

    def result(self, progress: Progress) -> dict[str, Any]:
        """Wait for the result of its job.

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
            raise ConversionError(f"{self._step}: the converter {_how(code)} and no result ({_last_words(self._log)})")
        return _parse(line)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            _close(stream)
        shutil.rmtree(self._room, ignore_errors=True)


def find_tools(*modules: str) -> tuple[Path, ...]:
    """The folders in which these modules are found here; `tools` of a `Child`.

    Raises:
        MissingExtraError: one is not installed.
    """
    folders = []
    for module in modules:
        spec = find_spec(module)
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtraError(module, "export")
        folders.append(Path(next(iter(spec.submodule_search_locations))).parent)
    return tuple(dict.fromkeys(folders))


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


def _how(code: int) -> str:
    """`ended with code 1`, or `ended with signal 11 (segmentation fault)`."""
    if code >= 0:
        return f"ended with code {code}"
    likely = ", most likely out of memory," if code == -signal.SIGKILL else ""
    return f"ended with signal {-code} ({(signal.strsignal(-code) or 'unknown').lower()}){likely}"


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines()[-_TAIL:] if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def _close(stream: IO[str] | None) -> None:
    if stream is not None:
        with contextlib.suppress(BrokenPipeError):
            stream.close()
