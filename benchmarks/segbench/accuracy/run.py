"""How exact the masks of one model file are: against hand-made ones, at the full size of each picture."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import segruntime
from segbench.console import Advance, no_progress
from segbench.errors import TruthError
from segbench.frames.masking import Masker, coarse_mask, luma
from segbench.frames.pairing import Pair, find_pairs, read_pair
from segbench.machine.describe import describe_machine
from segbench.machine.model import describe_model
from segbench.results.accuracy import FORMAT, MEASURES, VERSION, AccuracyResult, Score
from segbench.results.header import header_of, sealed
from segbench.statistics.spread import spread
from segruntime.measures.agreement import boundary_f, mask_iou

PERSON_FROM = 128  # of 255: where a soft hand-made mask is cut for the hard measures


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyJob:
    """One measurement. `None` leaves the choice to the runtime; without a preset it is the mask of `Segmenter.alpha`."""

    images: Path
    masks: Path
    model: Path | None = None
    backend: str | None = None
    threads: int | None = None
    preset: str | None = None


def run_accuracy(job: AccuracyJob, advance: Advance = no_progress) -> AccuracyResult:
    """Measure every picture.

    Raises:
        SegBenchError, SegRuntimeError: a folder, picture, mask or model that cannot be used.
    """
    pairs = find_pairs(job.images, job.masks)
    segmenter = segruntime.load(job.model, backend=job.backend, threads=job.threads)
    masker, scores = Masker(job.preset), []
    for pair in pairs:
        scores.append(_score_pair(pair, segmenter, masker))
        advance(len(pairs))
    return sealed(
        AccuracyResult(
            header=header_of(FORMAT, VERSION, describe_machine()),
            model=describe_model(segmenter),
            preset=job.preset,
            threads=segmenter.threads,
            threshold=segmenter.contract.threshold,
            images=str(job.images),
            masks=str(job.masks),
            pictures_sha256=pictures_digest(pairs),
            summary={name: spread([getattr(one, name) for one in scores]) for name in MEASURES},
            each=tuple(scores),
        )
    )


def pictures_digest(pairs: Sequence[Pair]) -> str:
    """SHA-256 of the names and contents of all pictures and masks: two accuracies belong together only where it is equal.

    Raises:
        TruthError: a file cannot be read.
    """
    whole = hashlib.sha256()
    for pair in pairs:
        whole.update(hashlib.sha256(pair.name.encode("utf-8", "surrogateescape")).digest())
        for path in (pair.picture, pair.mask):
            try:
                whole.update(hashlib.sha256(path.read_bytes()).digest())
            except OSError as error:
                raise TruthError(
                    f"{path}: cannot be read ({error.strerror}); leave it there while it is used"
                ) from error
    return whole.hexdigest()


def score(name: str, alpha: npt.NDArray[np.float32], truth: npt.NDArray[np.uint8], threshold: float = 0.5) -> Score:
    """Compare alpha `(H, W) float32, 0–1` with a mask `(H, W) uint8, 0–255`; the hard measures cut alpha at `threshold`."""
    found, person = alpha > threshold, truth >= PERSON_FROM
    return Score(
        picture=name,
        iou=mask_iou(found, person),
        boundary_f=boundary_f(found, person),
        mean_absolute_error=float(np.abs(alpha - truth.astype(np.float32) / 255).mean(dtype=np.float64)),
    )


def _score_pair(pair: Pair, segmenter: segruntime.Segmenter, masker: Masker) -> Score:
    picture, truth = read_pair(pair)
    masker.reset()  # a still has no past
    alpha = masker.soft_mask(coarse_mask(segmenter, picture, pair.name), luma(picture))
    return score(pair.name, alpha, truth, segmenter.contract.threshold)
