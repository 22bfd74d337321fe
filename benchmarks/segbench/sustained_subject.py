"""What runs in a sustained measurement: one model, one frame, from the frame to the composite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import segruntime
from segbench.errors import WrongMaskError
from segbench.frames import DEFAULT_SIZE, Frame, drawn_background, drawn_frame, read_frame
from segbench.masking import luma
from segbench.model_facts import describe_model
from segbench.stopwatch import check_mask
from segruntime import Segmenter
from segruntime.errors import GoldenError
from segruntime.refine import Refiner


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """`one_pass` gives a composite `(H, W, 3) uint8`; `facts` says what it runs, for the JSON."""

    one_pass: Callable[[], Frame]
    facts: dict[str, Any]


def load_subject(
    model: Path | None,
    backend: str | None,
    threads: int | None,
    size: tuple[int, int] | None,
    picture: Path | None,
    preset: str | None,
) -> Subject:
    """Load it, compare it with the golden pictures that its file holds, look at its mask, warm it up with ten passes.

    Raises:
        PictureError, WrongMaskError: see `segbench.errors`. SegRuntimeError: the model cannot be loaded.
    """
    frame = drawn_frame(*(size or DEFAULT_SIZE)) if picture is None else read_frame(picture, size)
    source = "the drawn frame" if picture is None else str(picture)
    segmenter = segruntime.load(model, backend=backend, threads=threads)
    golden = _golden(segmenter)
    check_mask(segmenter.alpha(frame), segmenter.path, source)
    one_pass = _pass(segmenter, frame, preset)
    for _ in range(10):
        one_pass()
    height, width = frame.shape[:2]
    return Subject(
        one_pass=one_pass,
        facts={
            "model": describe_model(segmenter),
            "threads": segmenter.threads,
            "frame": {"width": width, "height": height, "source": source},
            "preset": preset,
            "golden": golden,
        },
    )


def _pass(segmenter: Segmenter, frame: Frame, preset: str | None) -> Callable[[], Frame]:
    background = drawn_background(frame.shape[1], frame.shape[0])
    if preset is None:
        return lambda: segruntime.composite(frame, segmenter.alpha(frame), background)
    refiner = Refiner(preset)
    return lambda: segruntime.composite(frame, refiner(segmenter.coarse(frame), luma(frame)), background)


def _golden(segmenter: Segmenter) -> dict[str, Any] | None:
    try:
        found = segmenter.self_test()
    except GoldenError:
        return None
    if not found.same:
        raise WrongMaskError(f"{segmenter.path}: {found}")
    return found.to_json()
