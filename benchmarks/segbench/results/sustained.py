"""Sustained results, version 1: one JSON object with every raw value, minute by minute.

`FIELDS` below is what a reader may rely on. Fields beyond it may be there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segbench.results.described import FRAME, MACHINE, MODEL
from segbench.results.file import read_shaped
from segbench.results.shape import Shape, a_list, amount, fields, flag, maybe, number, text, whole

FORMAT = "segedge.segbench.sustained"
VERSION = 1

_MINUTE = fields(
    minute=whole,
    seconds=amount,
    n=whole,
    p50_ms=amount,
    p90_ms=amount,
    others_cores=maybe(amount),
    temperature_c=maybe(number),
    frequency_mhz=maybe(amount),
    throttled=maybe(flag),
    values_ms=a_list(amount, least=1),
)
FIELDS: Shape = fields(
    measured_at=text,
    segbench_version=text,
    machine=MACHINE,
    settings=fields(minutes=amount),
    model=MODEL,
    backend=text,
    library=text,
    library_version=text,
    threads=whole,
    frame=FRAME,
    preset=maybe(text),
    minutes=a_list(_MINUTE, least=1),
    last_to_first=maybe(amount),
    interrupted=flag,
    warnings=a_list(text),
)


def read_sustained(path: Path) -> dict[str, Any]:
    """The minutes in `path`, complete and as they were written.

    Raises:
        ResultsError: missing, empty, not JSON, not ours, of another version, edited, or a field is missing or wrong.
    """
    return read_shaped(path, FORMAT, VERSION, FIELDS, command="segbench sustained")
