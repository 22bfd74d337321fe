"""What all child processes share: jobs from standard input, results on the real standard output, death with the parent."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from segexport.process.memory import release_memory

Say = Callable[[str], None]
Work = Callable[[dict[str, Any], Say], dict[str, Any]]


def serve(work: Work, load: Callable[[], object] | None = None) -> None:
    """Do one job after the other until the parent is gone or one fails; whatever libraries print goes to standard error.

    `load` runs before a job is there: what takes long to import is ready then.
    """
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lines: queue.Queue[str] = queue.Queue()
    # from the start: loading takes seconds, and a parent that dies in them must not leave it behind
    threading.Thread(target=_read_and_die_with_parent, args=(lines,), daemon=True).start()

    def write(message: dict[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    if load is not None:
        load()
    while True:
        _do(work, json.loads(lines.get()), write)
        release_memory()


def _do(work: Work, job: dict[str, Any], write: Callable[[dict[str, Any]], None]) -> None:
    try:
        result = work(job, lambda text: write({"progress": text}))
    except Exception as error:  # noqa: BLE001 converters raise anything; the parent prints one line of it
        traceback.print_exc()
        first = " ".join(str(error).split())[:400]
        write({"error": f"{type(error).__name__}: {first}"})
        os._exit(1)  # what a failed job left in its libraries is no start for the next one
    write({"result": result})


def _read_and_die_with_parent(lines: queue.Queue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    os._exit(3)
