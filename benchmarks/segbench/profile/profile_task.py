"""What the process of its own does: load, look at the mask, measure the parts."""

from __future__ import annotations

import warnings
from dataclasses import replace

import segruntime
from segbench.frames.source import open_feed
from segbench.latency.mask_check import check_mask
from segbench.process.interrupt import Interrupt
from segbench.process.job import Job
from segbench.profile.onnx_measure import measure_onnx
from segbench.profile.part import Taken
from segbench.profile.tflite.measure import measure_tflite


def take(job: Job) -> Taken:
    """Load, check the mask, measure.

    Raises:
        SegBenchError, SegRuntimeError: the model or the input cannot be used.
    """
    with Interrupt() as interrupt:
        feed = open_feed(job)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            segmenter = segruntime.load(job.model, backend=job.backend, threads=job.threads)
        check_mask(segmenter.alpha(feed.first), segmenter.path, feed.source)
        tensor = segmenter.preprocess(feed.first).copy()  # valid until the next call only
        measure = {"tflite": measure_tflite, "onnx": measure_onnx}[segmenter.backend]
        taken = measure(job, segmenter, tensor, interrupt)
    said = tuple(str(one.message) for one in caught if issubclass(one.category, RuntimeWarning))
    return replace(taken, warnings=said)
