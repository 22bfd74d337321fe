"""The measuring side's handle of a peer's process."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from peers.errors import PeerError

BENCHMARKS = Path(__file__).resolve().parents[1]
LONGEST_START_S, LONGEST_ANSWER_S = 180.0, 120.0


class PeerProcess:
    """`script` in a fresh process of `python`, which loads `job` at once; a context that ends it."""

    def __init__(self, name: str, python: str, script: Path, job: Mapping[str, Any], path: str = "") -> None:
        """`path`: where it looks for modules besides its own environment and this folder's package.

        Raises:
            PeerError: it cannot be started.
        """
        self.name = name
        self._said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115, it lives as long as the process
        self._buffer = b""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(BENCHMARKS), *filter(None, [path])])}
        environment["ORT_DISABLE_TELEMETRY"] = "1"  # onnxruntime carries a client from 1.32 on
        try:
            self._process = subprocess.Popen(
                [python, str(script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env=environment,
                start_new_session=True,  # Ctrl-C is for us: we end it when its block is done
            )
        except OSError as error:
            raise PeerError(f"{name}: its Python does not start ({error.strerror}); remove its environment") from error
        self._send(job)

    def facts(self) -> dict[str, Any]:
        """What it says when it is loaded; to be asked once, first.

        Raises:
            PeerError: it ended, or takes too long.
        """
        return self._answer(LONGEST_START_S)

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request, see `peers.serve`.

        Raises:
            PeerError: it ended, or takes too long.
        """
        self._send(request)
        return self._answer(LONGEST_ANSWER_S + float(request.get("seconds", 0)))

    def __enter__(self) -> PeerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._said.close()

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101, asked for above
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended; reading its answer tells why

    def _answer(self, longest_s: float) -> dict[str, Any]:
        line = self._line(time.monotonic() + longest_s, longest_s)
        try:
            return dict(json.loads(line))
        except ValueError as error:
            raise PeerError(f"{self.name}: answered {line[:80]!r}, expected a JSON object") from error

    def _line(self, end: float, longest_s: float) -> bytes:
        assert self._process.stdout is not None  # noqa: S101, asked for above
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise PeerError(f"{self.name}: gave no answer within {longest_s:g} s")
                got = os.read(self._process.stdout.fileno(), 1 << 20)
                if not got:
                    raise PeerError(f"{self.name}: {self._last_words()}")
                self._buffer += got
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _last_words(self) -> str:
        code = self._process.wait()
        self._said.seek(0)
        lines = [line.strip() for line in self._said.read().splitlines() if line.strip()]
        return lines[-1][:300] if lines else f"ended with code {code} without a word"
