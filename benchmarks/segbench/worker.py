"""The measuring process, `python -m segbench.worker`: one job as JSON on standard input, one JSON line on standard output.

The answer is `{"result": …}` or `{"error": text}`. Everything that libraries print goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from typing import IO, Any

from segbench.errors import SegBenchError
from segbench.job import Job
from segbench.stopwatch import measure
from segruntime import SegRuntimeError


def main() -> None:
    """Read the job, measure, answer."""
    answer = _take_stdout()
    with answer:
        json.dump(_answer(sys.stdin.read()), answer, allow_nan=False)
        answer.write("\n")


def _answer(text: str) -> dict[str, Any]:
    try:
        return {"result": measure(Job.from_json(json.loads(text))).to_json()}
    except json.JSONDecodeError as error:
        return {"error": f"job: not JSON ({error}), expected one JSON object on standard input"}
    except (SegBenchError, SegRuntimeError) as error:
        return {"error": str(error)}


def _take_stdout() -> IO[str]:
    """The real standard output, for the answer alone; file descriptor 1 becomes standard error."""
    sys.stdout.flush()
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answer


if __name__ == "__main__":
    main()
