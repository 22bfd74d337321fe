"""What is checked before anything is timed: a model that gives a wrong mask has no speed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import segruntime
from segbench.errors import UnprovenError, WrongMaskError
from segbench.frames.source import open_feed
from segbench.machine.model import describe_file, describe_library
from segbench.process.job import Job
from segbench.results.subject import Subject
from segruntime import Segmenter
from segruntime.errors import GoldenError
from segruntime.model_file.self_test import SelfTest


def check(job: Job) -> Subject:
    """Load, run the golden pictures, look at the first frame's mask; → what the model, its library and the frame are.

    Raises:
        WrongMaskError: the mask is wrong. UnprovenError: `job.least_mask_iou` is not met. PictureError, ClipError: the input
            cannot be used. SegRuntimeError: nor the model.
    """
    feed = open_feed(job)
    segmenter = segruntime.load(job.model, backend=job.backend, threads=job.threads)
    if job.least_mask_iou is not None:
        check_accuracy(segmenter, job.least_mask_iou)
    golden = golden_test(segmenter)
    check_mask(segmenter.network_mask(feed.first), segmenter.path, feed.source)
    return Subject(
        model=describe_file(segmenter),
        library=describe_library(segmenter),
        threads=segmenter.threads,
        frame=feed.facts(),
        preset=job.preset,
        golden=None if golden is None else golden.to_json(),
    )


def golden_test(segmenter: Segmenter) -> SelfTest | None:
    """None where the file holds no golden pictures.

    Raises:
        WrongMaskError: another mask than where the file was made.
    """
    try:
        found = segmenter.self_test()
    except GoldenError:
        return None
    if not found.same:
        raise WrongMaskError(f"{segmenter.path}: {found}")
    return found


def check_accuracy(segmenter: Segmenter, least_mask_iou: float) -> None:
    """The gate of `--mlperf`: the mean IoU of the file's masks with those of the float network, as its contract records it.

    MLPerf asks for 96 % of the float network's mIoU with hand-made masks. The Jaccard distance is a metric, so a file whose
    masks have an IoU of 0.96 with float's loses at most 4 points of it, whatever the hand-made masks are.

    Raises:
        UnprovenError: less, or the contract says nothing.
    """
    parity = segmenter.contract.parity
    if parity is None:
        raise UnprovenError(
            f"{segmenter.path}: --mlperf wants masks with an IoU of at least {least_mask_iou:g} with the float network's, and "
            "this file's contract has no parity; export it with segexport, or give --runs 1024 --seconds 60 --processes 1"
        )
    if parity.mask_iou < least_mask_iou:
        raise UnprovenError(
            f"{segmenter.path}: its masks have an IoU of {parity.mask_iou:.4f} with the float network's, --mlperf wants at "
            f"least {least_mask_iou:g}; export it again with --max-iou-drop"
        )


def check_mask(alpha: npt.NDArray[np.float32], model: object, source: str) -> None:
    """Refuse a mask `(H, W) float32` that is not finite, leaves 0..1, or is the same everywhere.

    Raises:
        WrongMaskError: what is wrong with it.
    """
    if not np.isfinite(alpha).all():
        bad = int(np.count_nonzero(~np.isfinite(alpha)))
        raise WrongMaskError(
            f"{model}: its mask of {source} has {bad} values that are no numbers; the model is broken, export it again"
        )
    low, high = float(alpha.min()), float(alpha.max())
    if low < 0 or high > 1:
        raise WrongMaskError(f"{model}: its mask of {source} has values {low:g} to {high:g}, expected 0 to 1")
    if low == high:
        raise WrongMaskError(
            f"{model}: its mask of {source} is {low:g} everywhere, expected a person and a background; "
            "give a picture of a person with --input, or export the model again"
        )
