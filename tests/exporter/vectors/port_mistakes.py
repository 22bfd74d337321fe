"""What a port's mistakes look like in numbers, for docs/porting.md: `python tests/exporter/vectors/port_mistakes.py MODEL`.

Each line is one mistake made on purpose, all else as it should be; the numbers are the worst of the frames.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segexport.vectors.frames import drawn_frames, picture_frames
from segexport.vectors.mistakes import mistakes_for, sample_bilinear
from segruntime import Segmenter, load
from segruntime.measures.agreement import mask_iou

Array = npt.NDArray[Any]
Row = tuple[str, list[tuple[Array | None, Array, Array]]]
_FRAMES = 4


def main(model: str, pictures: str | None = None) -> None:
    segmenter = load(model, threads=1)
    size = segmenter.contract.input.width, segmenter.contract.input.height
    frames = picture_frames(Path(pictures), _FRAMES) if pictures else drawn_frames(_FRAMES, *size)
    pixels = [frame.pixels for frame in frames]
    sys.stdout.write("| mistake | input: largest, mean | alpha: largest, mean | mask IoU |\n|---|---|---|---|\n")
    for name, results in (*_in_input(segmenter, pixels), *_in_output(segmenter, pixels)):
        cells = (name, _input_cell(results), _alpha_cell(results), f"{_worst_iou(results):.3f}")
        sys.stdout.write(f"| {' | '.join(cells)} |\n")


def _in_input(segmenter: Segmenter, frames: list[Array]) -> Iterator[Row]:
    spec = segmenter.contract.input
    for name, mistake in mistakes_for(spec).items():
        results: list[tuple[Array | None, Array, Array]] = []
        for frame in frames:
            wrong, right = mistake(frame, spec), segmenter.preprocess(frame).copy()
            alpha = segmenter.postprocess(segmenter.invoke(wrong), frame.shape[:2])
            results.append((wrong.astype(np.float64) - right.astype(np.float64), alpha, segmenter.alpha(frame)))
        yield name, results


def _in_output(segmenter: Segmenter, frames: list[Array]) -> Iterator[Row]:
    for name, scaled in (
        ("corners aligned in the upscaling", _corners),
        ("nearest neighbour in the upscaling", _nearest),
    ):
        yield name, [(None, scaled(segmenter.coarse(f), f.shape[:2]), segmenter.alpha(f)) for f in frames]
    if segmenter.contract.output.dtype in ("int8", "uint8"):
        yield (
            "wrong sign of the output's bytes",
            [(None, _other_sign(segmenter, f), segmenter.alpha(f)) for f in frames],
        )


def _other_sign(segmenter: Segmenter, frame: Array) -> Array:
    output = np.array(segmenter.invoke(segmenter.preprocess(frame)))
    return segmenter.postprocess((output.view(np.uint8) ^ np.uint8(128)).view(output.dtype), frame.shape[:2])


def _nearest(mask: Array, size: tuple[int, ...]) -> Array:
    return cv2.resize(mask, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)


def _corners(mask: Array, size: tuple[int, ...]) -> Array:
    columns, rows = np.linspace(0, mask.shape[1] - 1, size[1]), np.linspace(0, mask.shape[0] - 1, size[0])
    return sample_bilinear(mask, columns, rows)


def _input_cell(results: list[tuple[Array | None, Array, Array]]) -> str:
    given = [np.abs(difference) for difference, _, _ in results if difference is not None]
    return f"{max(d.max() for d in given):.3g}, {max(d.mean() for d in given):.2g}" if given else "right"


def _alpha_cell(results: list[tuple[Array | None, Array, Array]]) -> str:
    given = [np.abs(wrong - right) for _, wrong, right in results]
    return f"{max(d.max() for d in given):.2g}, {max(d.mean() for d in given):.2g}"


def _worst_iou(results: list[tuple[Array | None, Array, Array]]) -> float:
    return min(mask_iou(wrong > 0.5, right > 0.5) for _, wrong, right in results)


if __name__ == "__main__":
    main(*sys.argv[1:3])
