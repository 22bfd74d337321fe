"""The result of a run: one JSON object, checked before a reader relies on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segbench.results.file import read_shaped
from segbench.results.shape import a_list, a_map, amount, fields, flag, maybe, share, text, whole

FORMAT, VERSION = "segedge.zoo", 2
WAYS = ("direct", "tf", "litert-torch", "saved")

_FILE = fields(
    max_difference=amount,
    mask_iou=share,
    invoke_p50_ms=amount,
    size_bytes=whole,
    kept=flag,
    elsewhere=maybe(fields()),
)
_CELL = fields(
    seconds=amount,
    taken=maybe(text),
    refused=fields(),
    refusal=maybe(text),
    files=a_map(_FILE, keys=("float32", "int8")),
)
_NETWORK = fields(
    name=text,
    title=text,
    library=text,
    saved=text,
    facts=maybe(fields(parameters=whole, packages=fields(), person=share, largest_logit=amount)),
    failure=maybe(text),
    cells=a_map(_CELL, keys=WAYS),
)
_ZOO = fields(
    measured_at=text,
    segedge_version=text,
    machine=fields(cpu=text, cores=whole, system=text, load_average_1min=amount, packages=fields()),
    settings=fields(size=whole, pictures=whole),
    networks=a_list(_NETWORK),
    interrupted=flag,
)


def read_zoo(path: Path) -> dict[str, Any]:
    """The result in `path`.

    Raises:
        ResultsError: missing, empty, not JSON, another format or version, edited, or a field is missing or wrong.
    """
    return read_shaped(path, FORMAT, VERSION, _ZOO, command="`python benchmarks/zoo`")
