"""segruntime itself: frame → alpha, frame → composite, plain or with a preset."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import segruntime
from peers.serve import Frame, Job, Mask, Served, serve
from segbench.latency.chain import Chain
from segbench.machine.model import describe_library


def load(job: Job) -> Served:
    """`options`: `preset`, or none of it."""
    segmenter = segruntime.load(Path(job.model), threads=job.threads)
    chain = Chain(segmenter, job.options.get("preset"), job.background)

    def mask(frame: Frame) -> Mask:
        alpha = chain.alpha(frame)
        soft: Mask = np.asarray(alpha, np.float32) / np.float32(255 if alpha.dtype == np.uint8 else 1)
        return soft

    return Served(
        threads=segmenter.threads,
        packages=("numpy", _distribution(segmenter)),
        tasks={"mask": chain.alpha, "composite": chain.whole},
        mask=mask,
    )


def _distribution(segmenter: segruntime.Segmenter) -> str:
    return describe_library(segmenter).name.replace("_", "-")


if __name__ == "__main__":
    serve(load)
