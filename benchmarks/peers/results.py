"""Results of both commands: one JSON object each, with every raw value, checked before a reader relies on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segbench.errors import ResultsError
from segbench.results.file import read_result_file
from segbench.results.shape import Shape, a_list, amount, fields, flag, maybe, number, text, whole

RUN_FORMAT, EXPORT_FORMAT = "segedge.peers", "segedge.peers.export"
VERSION = 1

_AGREEMENT = fields(iou=amount, lowest_iou=amount, largest_difference=amount, mean_difference=amount)
_RATIO = fields(ratio=amount, low=maybe(amount), high=maybe(amount))
_ROW = fields(
    task=text,
    title=text,
    values_ms=a_list(a_list(amount, least=1), least=1),
    p50_ms=amount,
    p90_ms=amount,
    n=whole,
    stability=fields(verdict=text, words=text, spread=number, drift=number, outliers=number),
    baseline=maybe(fields(peer=text, task=text)),
    ratio=maybe(_RATIO),
)
_PEER = fields(
    name=text,
    title=text,
    model=text,
    threads=whole,
    requirements=maybe(a_list(text)),
    packages=fields(),
    notes=a_list(text),
    masks=maybe(fields(verdict=text, frames=whole, as_given=_AGREEMENT, of_same_picture=maybe(_AGREEMENT))),
    failure=maybe(text),
    rows=a_list(_ROW),
)
_COMMON: dict[str, Shape] = {
    "measured_at": text,
    "segedge_version": text,
    "machine": fields(cpu=text, cores=whole, system=text, load_average_1min=amount, packages=fields()),
    "settings": fields(),
    "interrupted": flag,
}
_MODEL = fields(file=text, size_bytes=whole, sha256=text)
_RUN = fields(
    **_COMMON,
    clip=fields(file=text, frames=whole, width=whole, height=whole),
    models=fields(tflite=_MODEL, onnx=_MODEL),
    peers=a_list(_PEER, least=1),
)
_WAY = fields(
    name=text,
    title=text,
    packages=fields(),
    failure=maybe(text),
    onnx_s=amount,
    values_s=a_list(amount),
    seconds=maybe(amount),
    size_bytes=maybe(whole),
    largest_difference=maybe(amount),
    invoke=maybe(_ROW),
)
_EXPORT = fields(
    **_COMMON, networks=a_list(fields(name=text, parameters=whole, size=whole, ways=a_list(_WAY, least=1)), least=1)
)
_SHAPES: dict[str, Shape] = {RUN_FORMAT: _RUN, EXPORT_FORMAT: _EXPORT}


def read_peers(path: Path, form: str) -> dict[str, Any]:
    """The result in `path`; `form`: `RUN_FORMAT` or `EXPORT_FORMAT`.

    Raises:
        ResultsError: missing, empty, not JSON, another format or version, edited, or a field is missing or wrong.
    """
    result = read_result_file(path, form, VERSION)
    problem = _SHAPES[form](result, "")
    if problem is not None:
        raise ResultsError(path, problem, "run `python benchmarks/peers` again")
    return result
