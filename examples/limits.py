"""Where the bundled network fails, drawn from one public-domain portrait: `python examples/limits.py --output limits.png`."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from demo import HEIGHT, Image, astronaut, backdrop, labelled

import segruntime


def far_away(portrait: Image) -> Image:
    """The person at a fifth of the picture's height, before a plain wall."""
    canvas = np.full((HEIGHT, HEIGHT, 3), 190, np.uint8)
    small = cv2.resize(portrait, (HEIGHT // 4, HEIGHT // 4), interpolation=cv2.INTER_AREA)
    canvas[-small.shape[0] :, 60 : 60 + small.shape[1]] = small
    return canvas


def cases() -> dict[str, Image]:
    portrait = np.asarray(cv2.resize(astronaut(), (HEIGHT, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
    face = np.asarray(cv2.resize(astronaut()[20:220, 130:330], (HEIGHT, HEIGHT)), np.uint8)
    return {
        "as it is": portrait,
        "lying down": np.ascontiguousarray(np.rot90(portrait)),
        "far away": far_away(portrait),
        "face only": face,
        "very dark": (portrait * 0.12).astype(np.uint8),
        "nobody there": np.ascontiguousarray(portrait[:150, 230:], np.uint8),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("limits.png"))
    args = parser.parse_args()
    segmenter = segruntime.load()
    columns = []
    for name, frame in cases().items():
        alpha = segmenter.alpha(frame)
        result = segruntime.composite(frame, alpha, backdrop(*frame.shape[:2]))
        pair = [np.asarray(cv2.resize(image, (210, 210)), np.uint8) for image in (frame, result)]
        columns.append(np.vstack([labelled(pair[0], name), pair[1]]))
    cv2.imwrite(str(args.output), np.hstack(columns))


if __name__ == "__main__":
    main()
