"""What the flicker measure says of masks whose flicker is known: how much of a value is the measure's own error.

python benchmarks/claims/flicker_floor.py DIR [--json]

DIR holds images/ and hand-made masks/. People are cut out and moved before the picture of somebody else, with a camera's
noise, so that the true mask of each frame is known. It does not flicker; the measure should say nearly 0. A mask that jumps by
a pixel to and fro, one that is a frame late, and one that stands still do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import click
import cv2
import numpy as np
import numpy.typing as npt

from claim import Result, claim
from segbench.frames.pairing import find_pairs, read_pair
from segruntime.measures.flicker import FlickerMeter, pair_flicker

WIDTH, HEIGHT = 512, 288
SCALE = WIDTH / 256  # speeds are in pixels of the picture that is measured, 256 wide
SPEEDS = (0.0, 0.5, 1.0, 3.0)
FRAMES = 6
NOISE = 3.0  # of 255, the standard deviation of a webcam in a room
Mask = npt.NDArray[np.float32]
Frame = npt.NDArray[np.uint8]
MASKS: dict[str, Callable[[list[Mask], int], Mask]] = {
    "true mask": lambda masks, k: masks[k],
    "jumps by 1 pixel": lambda masks, k: np.roll(masks[k], int(SCALE) * (k % 2), axis=1),
    "one frame late": lambda masks, k: masks[max(0, k - 1)],
    "stands still": lambda masks, _: masks[0],
}


def print_result(result: Result) -> None:
    print(f"{'flicker, %; pixels a frame':28}" + "".join(f"{name:>18}" for name in MASKS))
    for row in result["rows"]:
        print(f"{row['speed']:<28}" + "".join(f"{100 * row['flicker'][name]:18.2f}" for name in MASKS))
    print(f"a pair of 1280x720 takes {result['pair_ms']:.1f} ms on one thread")


@claim(print_result)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--people", default=24, show_default=True, help="How many pictures to cut out.")
def main(folder: Path, people: int) -> Result:
    """Print the flicker of known masks for people who move at several speeds."""
    pairs = [read_pair(pair) for pair in find_pairs(folder / "images", folder / "masks")[:people]]
    return {"rows": [_row(pairs, speed) for speed in SPEEDS], "pair_ms": _pair_ms(pairs)}


def _row(pairs: list[tuple[Frame, Frame]], speed: float) -> Result:
    meters = {name: FlickerMeter() for name in MASKS}
    for index in range(len(pairs)):
        frames, masks = _scene(pairs[index], pairs[index - 1][0], speed * SCALE, index)
        for name, meter in meters.items():
            meter.cut()
            for k, frame in enumerate(frames):
                meter.add(frame, MASKS[name](masks, k))
    return {"speed": speed, "flicker": {name: meter.value for name, meter in meters.items()}}


def _scene(pair: tuple[Frame, Frame], behind: Frame, speed: float, seed: int) -> tuple[list[Frame], list[Mask]]:
    """The person of `pair` moves over `behind`: gray frames `(h, w) uint8`, and their masks `(h, w) float32, 0–1`."""
    rng, frames, masks = np.random.default_rng(seed), [], []
    background = cv2.resize(cv2.cvtColor(behind, cv2.COLOR_BGR2GRAY), (WIDTH, HEIGHT)).astype(np.float32)
    person, mask = cv2.cvtColor(pair[0], cv2.COLOR_BGR2GRAY).astype(np.float32), pair[1].astype(np.float32) / 255
    size = HEIGHT / person.shape[0]
    for k in range(FRAMES):
        matrix = np.array([[size, 0, WIDTH / 4 + speed * k], [0, size, HEIGHT / 12 + speed * k / 4]], np.float32)
        moved, alpha = (cv2.warpAffine(one, matrix, (WIDTH, HEIGHT)) for one in (person, mask))
        alpha = cv2.GaussianBlur(alpha, (0, 0), 1)
        noise = rng.normal(0, NOISE, alpha.shape)
        frames.append(np.clip(moved * alpha + background * (1 - alpha) + noise, 0, 255).astype(np.uint8))
        masks.append(np.asarray(alpha, np.float32))
    return frames, masks


def _pair_ms(pairs: list[tuple[Frame, Frame]]) -> float:
    """The least of twenty times, which the rest of the machine disturbs least."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    frames, masks = _scene(pairs[0], pairs[-1][0], 2.0, 0)
    large = [cv2.resize(one, (1280, 720)) for one in frames[:2]]
    alpha = [cv2.resize((one * 255).astype(np.uint8), (1280, 720)) for one in masks[:2]]
    times = []
    for _ in range(20):
        start = time.perf_counter()
        pair_flicker(large[0], alpha[0], large[1], alpha[1])
        times.append(time.perf_counter() - start)
    cv2.setNumThreads(threads)
    return min(times) * 1e3


if __name__ == "__main__":
    main()
