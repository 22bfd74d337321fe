"""A worker in a child process: with a time limit, with its progress passed on, and dead when we are."""

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
_OUT_OF_MEMORY = ("bad_alloc", "MemoryError", "Cannot allocate memory")
_KILLED = 9  # signal.SIGKILL, which Windows does not have


class Child:
    """`worker`, a file that ends in `serve`, at work in one process for all its jobs; a context that kills it at the end.

    The process starts with the first job, or with `start`, which lets it load its libraries meanwhile. It has a room of its own
    in `playground` and works in a folder there, empty at first: what it is given is copied in, what it makes is copied out.
    Each job has `limit_s` seconds. After one in which it failed, died or was interrupted the next job starts a new process in
    a new room.

    A job is one line of JSON on its standard input. It prints one JSON object a line: `{"progress": text}`, and at the end of a
    job `{"result": …}`, or `{"error": text}` and is gone. It ends itself when its standard input closes, so that a killed
    parent leaves nobody behind. Ctrl-C reaches its parent only. Its environment is made (`environment.py`).

    Args:
        packages: modules that it takes from where they are found here, after its interpreter's own.
        advice: what to do about a model file that crashes it; None where no file of the user's or a converter's can.
    """

    def __init__(
        self,
        worker: Path,
        playground: Path,
        *,
        limit_s: float,
        packages: Sequence[str] = (),
        interpreter: str = sys.executable,
        advice: str | None = None,
    ) -> None:
        self._command = [interpreter, str(_START), str(worker)]
        self._playground, self._limit_s = playground, limit_s
        self._packages, self._advice = packages, advice
        self._step, self._deadline = "conversion", 0.0
        self._process: _Process | None = None

    def start(self) -> Path:
        """The folder in which it works; started where it is not.

        Raises:
            MissingExtraError: a package is not installed.
            ConversionError: its interpreter cannot be started.
        """
        return self._running().folder

    def _running(self) -> _Process:
        if self._process is None:
            command = [*self._command, *map(str, find_tools(*self._packages))]
            try:
                self._process = _Process(command, self._playground)
            except OSError as error:
                raise ConversionError(
                    f"{self._step}: {command[0]!r} cannot be started ({error.strerror}); expected a Python that has the tools"
                ) from error
        return self._process

    def begin(self, job: dict[str, Any]) -> None:
        """Give it a job, which messages call `job["step"]`; the time for it runs from now."""
        process = self._running()
        self._step = str(job.get("step", self._step))
        self._deadline = time.monotonic() + self._limit_s
        process.write(json.dumps(job))

    def result(self, progress: Progress) -> dict[str, Any]:
        """Wait for the result of its job.

        Raises:
            ConversionError: it failed, was killed, or ran longer than its limit; in one line.
        """
        process = self._running()
        try:
            return self._result(process, progress)
        except ConversionError as error:
            code = process.code or 0
            self.close()
            told = None if self._advice is None else _explained(code, str(error), self._advice)
            if told is None:
                raise
            raise ConversionError(f"{self._step}: {told}") from error
        except BaseException:  # interrupted: it is not asked again
            self.close()
            raise

    def ask(self, job: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """`begin` and `result`."""
        self.begin(job)
        return self.result(progress)

    def _result(self, process: _Process, progress: Progress) -> dict[str, Any]:
        while True:
            try:
                line = process.lines.get(timeout=max(0.0, self._deadline - time.monotonic()))
            except queue.Empty:
                raise ConversionError(
                    f"{self._step}: no end after {self._limit_s:.0f} s, stopped; "
                    "give more time with --timeout SECONDS, or a smaller --size"
                ) from None
            if line is None:
                raise ConversionError(f"{self._step}: the converter {process.ending()}")
            message = _parse(line)
            if "error" in message:
                raise ConversionError(f"{self._step}: {message['error']}")
            if "result" in message:
                return dict(message["result"])
            if "progress" in message:
                progress(str(message["progress"]))

    def close(self) -> None:
        """End the process; the next job starts another."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Process:
    """One life of a child, in a new room in `playground`."""

    def __init__(self, command: list[str], playground: Path) -> None:
        self._room = Path(tempfile.mkdtemp(prefix=f"{Path(command[2]).stem}-", dir=playground)).absolute()
        self.folder = self._room / "work"
        self.folder.mkdir()
        self._log = self._room / "log"
        self.lines: queue.Queue[str | None] = queue.Queue()
        environment = made_environment(self._room)
        with self._log.open("wb") as errors:
            self._process = subprocess.Popen(
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
        threading.Thread(target=_pump, args=(self._process.stdout, self.lines), daemon=True).start()

    def write(self, line: str) -> None:
        stdin = self._process.stdin
        with contextlib.suppress(BrokenPipeError):  # it ended at once; its last words are told with the result
            if stdin is not None:
                stdin.write(line + "\n")
                stdin.flush()

    @property
    def code(self) -> int | None:
        """What it ended with, below zero by a signal; None while it lives."""
        return self._process.poll()

    def ending(self) -> str:
        """`ended with code 1 and no result (…)`, with its last words."""
        code = self._process.wait()
        likely = ", most likely out of memory," if code == -_KILLED else ""
        return f"{_how(code)}{likely} and no result ({_last_words(self._log)})"

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        shutil.rmtree(self._room, ignore_errors=True)


def find_tools(*modules: str) -> tuple[Path, ...]:
    """The folders in which these modules are found here.

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
    return f"ended with signal {-code} ({(signal.strsignal(-code) or 'unknown').lower()})"


def _explained(code: int, said: str, advice: str) -> str | None:
    """What a death means to somebody who wanted a model file; None where the child said it itself."""
    how = f"{_how(code)} on it" if code < 0 else "stopped"
    if code == -_KILLED or any(word in said for word in _OUT_OF_MEMORY):
        return f"the interpreter {how}, most likely out of memory; give a smaller --size, or more memory"
    return f"the interpreter {how}; {advice}" if code < 0 else None


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines()[-_TAIL:] if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
