"""Accuracy results, version 1: one JSON object with the measures of every picture, the model, and on which pictures.

`FIELDS` below is what a reader may rely on. Fields beyond it may be there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from segbench.results.described import MACHINE, MODEL_FIELDS
from segbench.results.file import read_shaped
from segbench.results.shape import Shape, a_list, fields, maybe, share, text, whole

FORMAT = "segedge.segbench.accuracy"
VERSION = 1
MEASURES = ("iou", "boundary_f", "mean_absolute_error")

_SPREAD = ("mean", "std", "min", "p10", "p50", "p90", "max")
_MODEL = fields(**MODEL_FIELDS, backend=text, library=text, library_version=text)
FIELDS: Shape = fields(
    measured_at=text,
    segbench_version=text,
    machine=MACHINE,
    model=_MODEL,
    preset=maybe(text),
    threads=whole,
    threshold=share,
    images=text,
    masks=text,
    pictures_sha256=text,
    summary=fields(**{name: fields(n=whole, **dict.fromkeys(_SPREAD, share)) for name in MEASURES}),
    each=a_list(fields(picture=text, **dict.fromkeys(MEASURES, share)), least=1),
)


class AccuracyKey(NamedTuple):
    """What has to be equal before an accuracy belongs to a latency: the same file, run by the same backend, refined alike."""

    sha256: str
    backend: str
    preset: str | None


def accuracy_key(result: dict[str, Any]) -> AccuracyKey:
    """Of an accuracy result."""
    return AccuracyKey(result["model"]["sha256"], result["model"]["backend"], result["preset"])


def read_accuracy(path: Path) -> dict[str, Any]:
    """The accuracy in `path`, complete and as it was written.

    Raises:
        ResultsError: missing, empty, not JSON, not ours, of another version, edited, or a field is missing or wrong.
    """
    return read_shaped(path, FORMAT, VERSION, FIELDS, command="segbench accuracy")
