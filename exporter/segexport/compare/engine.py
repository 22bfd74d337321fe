"""A child process in which an interpreter works on model files: one that crashes it costs one line, not the program."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segexport.errors import ConversionError
from segexport.process.child import Child, Progress, find_tools

_ADVICE = "it can be run nowhere as it is: try another --converter or precision, and report this network"
_KILLED = 9  # signal.SIGKILL, which Windows does not have
_OUT_OF_MEMORY = ("bad_alloc", "MemoryError", "Cannot allocate memory")


class Engine:
    """`worker`, a file, at work in one child process that stays for all its jobs; a context that kills it at the end.

    The child starts with the first job, in a room of its own in `folder`; each job has `limit_s` seconds. After a job in
    which it failed or died the next one gets a new child.

    `packages` are those that the worker imports; `advice` tells what to do about a file that crashes it.
    """

    def __init__(
        self, worker: Path, folder: Path, *, limit_s: float, packages: Sequence[str], advice: str = _ADVICE
    ) -> None:
        self._worker, self._folder, self._limit_s = worker, folder, limit_s
        self._packages, self._advice = packages, advice
        self._child: Child | None = None

    def start(self) -> Path:
        """The folder in which the child works; it is started where there is none, and loads its libraries meanwhile."""
        return self._ready().folder

    def _ready(self) -> Child:
        if self._child is None:
            tools = find_tools(*self._packages)
            self._child = Child(self._worker, self._folder, limit_s=self._limit_s, tools=tools)
        return self._child

    def ask(self, name: str, job: dict[str, Any], say: Progress) -> dict[str, Any]:
        """Give it a job about the file called `name`; gives what the worker returned.

        Raises:
            MissingExtraError: a package is not installed.
            ConversionError: the worker failed, died or took longer than its limit; in one line.
        """
        child = self._ready()
        try:
            child.begin({"step": name, **job})
            return child.result(say)
        except ConversionError as error:
            code = child.code or 0
            self.close()
            explained = _explained(code, str(error), self._advice)
            if explained is None:
                raise
            raise ConversionError(f"{name}: {explained}") from error
        except BaseException:  # interrupted: it is not asked again
            self.close()
            raise

    def close(self) -> None:
        """End the child; the next job starts another."""
        if self._child is not None:
            self._child.__exit__()
            self._child = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _explained(code: int, said: str, advice: str) -> str | None:
    """What a death means to somebody who wanted a model file; None where the child said it itself."""
    how = (
        f"ended with signal {-code} ({(signal.strsignal(-code) or 'unknown').lower()}) on it" if code < 0 else "stopped"
    )
    if code == -_KILLED or any(word in said for word in _OUT_OF_MEMORY):
        return f"the interpreter {how}, most likely out of memory; give a smaller --size, or more memory"
    return f"the interpreter {how}; {advice}" if code < 0 else None
