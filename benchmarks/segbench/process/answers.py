"""The side of a child process: JSON lines on standard input, one JSON line each as answer on standard output.

An answer is `{"result": …}` or `{"error": text}`. What libraries print goes to standard error. Peers run this in environments
of their own, so it needs nothing but Python.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import IO, Any


def answer_requests(do: Callable[[Any], object], refusals: tuple[type[Exception], ...] = ()) -> None:
    """`do` gives the result of each request, until standard input ends.

    An error of `refusals` is an answer; any other one ends the process, and its last line on standard error says why.
    """
    with _take_stdout() as answers:
        for line in sys.stdin:
            json.dump(_answer(do, refusals, line), answers, allow_nan=False)
            answers.write("\n")
            answers.flush()


def _answer(do: Callable[[Any], object], refusals: tuple[type[Exception], ...], line: str) -> dict[str, object]:
    try:
        request = json.loads(line)
    except json.JSONDecodeError as error:
        return {"error": f"not JSON ({error}), expected a JSON object on a line of standard input"}
    try:
        return {"result": do(request)}
    except refusals as error:
        return {"error": str(error)}


def _take_stdout() -> IO[str]:
    """The real standard output, for answers alone; file descriptor 1 becomes standard error."""
    sys.stdout.flush()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers
