"""The measuring side's handle of a peer's process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from peers.errors import PeerError
from segbench.errors import WorkerError
from segbench.process.child import Child
from segruntime.strict_json import Fields

BENCHMARKS = Path(__file__).resolve().parents[1]
LONGEST_START_S, LONGEST_ANSWER_S = 180.0, 120.0


class PeerProcess:
    """`script` in a fresh process of `python`; a context that ends it."""

    def __init__(self, name: str, python: str, script: Path, path: str = "") -> None:
        """`path`: where it looks for modules besides its own environment and this folder's package.

        Raises:
            PeerError: it cannot be started.
        """
        self.name = name
        environment = {"PYTHONPATH": os.pathsep.join([str(BENCHMARKS), *filter(None, [path])])}
        environment["ORT_DISABLE_TELEMETRY"] = "1"  # onnxruntime carries a client from 1.32 on
        try:
            # Ctrl-C is for us: we end it when its block is done
            self._child = Child([python, str(script)], environment, own_session=True)
        except OSError as error:
            raise PeerError(f"{name}: its Python does not start ({error.strerror}); remove its environment") from error

    def load(self, job: Mapping[str, object]) -> Fields:
        """What it says of itself when it has loaded its library with `job`; to be asked once, first.

        Raises:
            PeerError: it ended, or takes too long.
        """
        return self._answer(job, LONGEST_START_S)

    def ask(self, *, seconds: float = 0.0, **request: object) -> Fields:
        """One request, see `peers.serve`; `seconds`: how long it is to work at least.

        Raises:
            PeerError: it ended, or takes too long.
        """
        return self._answer({**request, "seconds": seconds}, LONGEST_ANSWER_S + seconds)

    def __enter__(self) -> PeerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.__exit__(kind, error, trace)

    def _answer(self, request: Mapping[str, object], longest_s: float) -> Fields:
        try:
            return self._child.ask(request, longest_s)
        except WorkerError as error:
            raise PeerError(f"{self.name}: {error}") from error
