"""onnxruntime's own profile of a session: a file that it writes, and what is in it."""

from __future__ import annotations

import json
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from segbench.errors import ProfileError
from segruntime.strict_json import Fields

_NODE, _RUN, _SUFFIX = "Node", "model_run", "_kernel_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedNode:
    """A node of the graph as onnxruntime has rewritten it; `shape` of its first output, `provider` is what runs it.

    `name` is without the number that onnxruntime gives to nodes of its own, another one in each session.
    """

    kind: str
    name: str
    shape: tuple[int, ...]
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """`seconds[k]`: of each of `nodes` in run k. onnxruntime gives whole microseconds."""

    nodes: tuple[TracedNode, ...]
    seconds: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceEvent:
    """What took `elapsed_us`: a kernel of `node`, or a run."""

    category: str
    name: str
    start_us: float
    elapsed_us: float
    index: str
    node: TracedNode

    @classmethod
    def from_json(cls, f: Fields) -> TraceEvent:
        name = f.string("name")
        arguments = f.optional("args", f.part) or Fields({})
        outputs = arguments.optional("output_type_shape", arguments.raw) or [{}]
        shape: list[int] = next(iter(outputs[0].values()), [])
        node = TracedNode(
            kind=arguments.optional("op_name", arguments.string) or "unknown",
            name=re.sub(r"_token_[0-9]+", "", name.removesuffix(_SUFFIX)),
            shape=tuple(int(n) for n in shape),
            provider=arguments.optional("provider", arguments.string) or "unknown",
        )
        index = arguments.optional("node_index", arguments.string) or ""
        times = {"start_us": f.number("ts"), "elapsed_us": f.number("dur")}
        return cls(category=f.string("cat"), name=name, index=index, node=node, **times)


class TraceFile:
    """A file that onnxruntime opens when a session begins and fills when its profile ends.

    As soon as it is open it loses its name, so that nothing is left where the process is killed.
    """

    def __init__(self) -> None:
        """Raises ProfileError: there is no folder for temporary files."""
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="segbench-profile-")
        except OSError as error:
            raise ProfileError(
                f"a temporary file: cannot be made ({error.strerror or error}); set TMPDIR to a folder with free space"
            ) from error
        self.prefix = str(Path(self._folder.name) / "trace")
        self._file: IO[bytes] | None = None

    def hide(self) -> None:
        """To be called once the session is there."""
        found = list(Path(self._folder.name).iterdir())
        if not found:
            raise ProfileError("onnxruntime opened no file for its profile; set TMPDIR to a folder with free space")
        self._file = found[0].open("rb")
        with suppress(OSError):  # Windows keeps what is open; close() tries again
            self._folder.cleanup()

    def read(self) -> str:
        """What the finished profile holds."""
        return "" if self._file is None else self._file.read().decode("utf-8", "replace")

    def close(self) -> None:
        """The file and its folder are gone."""
        if self._file is not None:
            self._file.close()
        self._folder.cleanup()


def parse_trace(text: str) -> Trace:
    """The runs in a profile.

    Raises:
        ProfileError: it is cut off, holds no run, or its runs differ in their nodes.
    """
    runs: list[list[TraceEvent]] = []
    nodes: list[TraceEvent] = []
    for event in sorted(_events(text), key=lambda one: one.start_us + one.elapsed_us):  # a run ends after its last node
        if event.category == _NODE and event.name.endswith(_SUFFIX):
            nodes.append(event)
        elif event.name == _RUN:
            runs.append(sorted(nodes, key=lambda one: one.start_us))
            nodes = []
    if not runs or not runs[0]:
        raise ProfileError(
            "onnxruntime's profile holds no run; this version may write it differently, expected 1.18 or newer"
        )
    if any([(one.name, one.index) for one in run] != [(one.name, one.index) for one in runs[0]] for run in runs):
        raise ProfileError(
            "onnxruntime's profile has other nodes in one run than in another, expected the same; "
            "it keeps a million events: profile with fewer --seconds"
        )
    return Trace(
        nodes=tuple(event.node for event in runs[0]),
        seconds=tuple(tuple(event.elapsed_us / 1e6 for event in run) for run in runs),
    )


def _events(text: str) -> list[TraceEvent]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ProfileError(
            f"onnxruntime's profile is cut off after {len(text)} characters; is the disk full? "
            "Set TMPDIR to a folder with free space"
        ) from error
    return [TraceEvent.from_json(Fields(event)) for event in found if "dur" in event and "ts" in event]
