"""What both child processes share: the job from standard input, results on the real standard output, death with the parent."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

Say = Callable[[str], None]


def serve(work: Callable[[dict[str, Any], Say], dict[str, Any]], load: Callable[[], object] | None = None) -> None:
    """Read one job, do it, write one result; whatever libraries print goes to standard error.

    `load` runs before the job is there: what takes long to import is ready then.
    """
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lines: queue.Queue[str] = queue.Queue()
    # from the start: loading takes seconds, and a parent that dies in them must not leave it behind
    threading.Thread(target=_read_and_die_with_parent, args=(lines,), daemon=True).start()
    if load is not None:
        load()
    job = json.loads(lines.get())

    def write(message: dict[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    try:
        result = work(job, lambda text: write({"progress": text}))
    except Exception as error:  # noqa: BLE001 converters raise anything; the parent prints one line of it
        traceback.print_exc()
        first = " ".join(str(error).split())[:400]
        write({"error": f"{type(error).__name__}: {first}"})
        out.flush()
        os._exit(1)
    write({"result": result})
    out.flush()
    os._exit(0)  # tensorflow's own shutdown takes seconds and has nothing to save


def _read_and_die_with_parent(lines: queue.Queue[str]) -> None:
    lines.put(sys.stdin.readline())
    sys.stdin.read()
    os._exit(3)
