"""What runs in a sustained measurement: one model, one frame, from the frame to the composite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import segruntime
from segbench.chain import Chain
from segbench.frames import DEFAULT_SIZE, Frame, drawn_background, drawn_frame, read_frame
from segbench.mask_check import check_mask, golden_test
from segbench.model_facts import describe_model


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
    golden = golden_test(segmenter)
    check_mask(segmenter.alpha(frame), segmenter.path, source)
    height, width = frame.shape[:2]
    chain = Chain(segmenter, preset, drawn_background(width, height))
    for _ in range(10):
        chain.whole(frame)
    return Subject(
        one_pass=lambda: chain.whole(frame),
        facts={
            "model": describe_model(segmenter),
            "threads": segmenter.threads,
            "frame": {"width": width, "height": height, "source": source},
            "preset": preset,
            "golden": golden,
        },
    )
