"""Accuracy results, version 1: one JSON object with the measures of every picture, the model, and on which pictures.

The classes below are what a reader may rely on. Fields beyond theirs may be in a file.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segbench.machine.model import LoadedModel
from segbench.readers import MOST, whole
from segbench.results.file import read_result
from segbench.results.header import Header
from segbench.results.subject import AccuracyKey
from segbench.statistics.spread import Spread
from segruntime.strict_json import Fields

FORMAT = "segedge.segbench.accuracy"
VERSION = 1
MEASURES = ("iou", "boundary_f", "mean_absolute_error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One picture: intersection over union, boundary F-score, and the mean of |alpha - mask|, all 0–1."""

    picture: str
    iou: float
    boundary_f: float
    mean_absolute_error: float

    @classmethod
    def from_json(cls, f: Fields) -> Score:
        return cls(picture=f.string("picture"), **{name: f.number(name, 0, 1) for name in MEASURES})


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyResult:
    """What `segbench accuracy -o` writes: `summary` of each of `MEASURES`, and `each` picture.

    `threshold`: where alpha was cut for the hard measures. `pictures_sha256`: of all pictures and masks; only results in which
    it is equal may be compared.
    """

    header: Header
    model: LoadedModel
    preset: str | None
    threads: int
    threshold: float
    images: str
    masks: str
    pictures_sha256: str
    summary: dict[str, Spread]
    each: tuple[Score, ...]

    def to_json(self) -> dict[str, Any]:
        return self.header.to_json(
            {
                "model": self.model.to_json(),
                "preset": self.preset,
                "threads": self.threads,
                "threshold": self.threshold,
                "images": self.images,
                "masks": self.masks,
                "pictures_sha256": self.pictures_sha256,
                "summary": {name: asdict(one) for name, one in self.summary.items()},
                "each": [asdict(one) for one in self.each],
            }
        )

    @classmethod
    def from_json(cls, f: Fields) -> AccuracyResult:
        summary = f.part("summary")
        return cls(
            header=Header.from_json(f),
            model=LoadedModel.from_json(f.part("model")),
            preset=f.nullable("preset", f.string),
            threads=whole(f)("threads"),
            threshold=f.number("threshold", 0, 1),
            images=f.string("images"),
            masks=f.string("masks"),
            pictures_sha256=f.string("pictures_sha256"),
            summary={name: Spread.from_json(summary.part(name)) for name in MEASURES},
            each=tuple(map(Score.from_json, f.parts("each", 1, MOST))),
        )

    @property
    def key(self) -> AccuracyKey:
        return AccuracyKey(self.model.file.sha256, self.model.library.backend, self.preset)


def read_accuracy(path: Path) -> AccuracyResult:
    """The result in `path`.

    Raises:
        ResultsError: missing, empty, not JSON, not ours, of another version, edited, or a field is missing or wrong.
    """
    return read_result(path, FORMAT, VERSION, AccuracyResult.from_json, command="segbench accuracy")
