"""What the presets of segruntime.refine cost, and what they do to flicker, moving parts and edges.

python benchmarks/claims/refine_presets.py --clip FILE… --data FOLDER [--rounds N] [--threads N] [--json]

Per preset: its cost on drawn frames of 1280x720 in interleaved rounds, a ratio being the median of the rounds' ratios;
flicker over each clip (segruntime.measures.flicker); on each clip's moving parts, how far alpha is from what the same chain
without memory makes of the float32 network's masks; and mean IoU, boundary F and mean absolute error on stills with
hand-made masks.
Two more rows show the memory's part: `balanced` without any, and with MediaPipe's blend alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import numpy.typing as npt

import segruntime
from claim import Result, claim
from segbench.frames.drawn import drawn_background, drawn_frame
from segruntime import Segmenter
from segruntime.measures.agreement import boundary_f, mask_iou
from segruntime.measures.flicker import FlickerMeter
from segruntime.refine import PRESETS, Preset, Refiner
from segruntime.refine.shrink import shrink
from segruntime.refine.temporal import Temporal
from segruntime.segmenter import BUNDLED

Byte = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.float32]
BALANCED = PRESETS["balanced"]
CHAINS: dict[str, Preset] = {
    **PRESETS,
    "balanced, no memory": replace(BALANCED, temporal=None),
    "balanced, MediaPipe": replace(BALANCED, temporal=Temporal(sure=0.0, unsure=0.9, moving=math.inf)),
}
MOVED = 12  # levels of luma at the mask's size, far above the noise of both clips


def frames(clip: Path) -> Iterator[Byte]:
    """The frames of a clip, `(H, W, 3) uint8, BGR`."""
    capture = cv2.VideoCapture(str(clip))
    while True:
        found, frame = capture.read()
        if not found:
            return
        yield np.asarray(frame, np.uint8)


def measure_clip(clip: Path, segmenter: Segmenter, reference: Segmenter) -> dict[str, dict[str, float]]:
    """Per chain: `flicker`, and `moving`: mean distance on moving parts from the reference without memory, of 255."""
    chains = {name: (Refiner(preset), FlickerMeter()) for name, preset in CHAINS.items()}
    plain = {name: Refiner(replace(preset, temporal=None)) for name, preset in CHAINS.items()}
    sums, before, count = dict.fromkeys(CHAINS, 0.0), None, 0
    for frame in frames(clip):
        gray, mask, true_mask = _gray(frame), segmenter.coarse(frame), reference.coarse(frame)
        small = shrink(gray, (mask.shape[0], mask.shape[1]))
        moving = None if before is None else _moving(small, before, gray.shape)
        before = small
        count += 0 if moving is None else int(np.count_nonzero(moving))
        for name, (refiner, meter) in chains.items():
            alpha = refiner(mask, gray)
            meter.add(gray, alpha)
            if moving is not None:
                sums[name] += float(cv2.absdiff(alpha, plain[name](true_mask, gray))[moving].sum(dtype=np.float64))
    if before is None:
        raise SystemExit(f"{clip}: no frame can be read, expected a video; check the path")
    return {name: {"flicker": m.value or 0.0, "moving": sums[name] / max(1, count)} for name, (_, m) in chains.items()}


def _moving(small: Byte, before: Byte, size: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    changed = cv2.threshold(cv2.absdiff(small, before), MOVED, 255, cv2.THRESH_BINARY)[1]
    around = cv2.dilate(changed, np.ones((5, 5), np.uint8))
    return np.asarray(cv2.resize(around, (size[1], size[0]), interpolation=cv2.INTER_NEAREST) > 0)


def measure_stills(data: Path, segmenter: Segmenter) -> dict[str, dict[str, float]]:
    """Per chain, in percent at the size of each picture: mean IoU and boundary F at one half, mean absolute error."""
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in CHAINS}
    for path in sorted((data / "images").iterdir()):
        image, truth = cv2.imread(str(path)), cv2.imread(str(data / "masks" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
        if image is None or truth is None:
            raise SystemExit(f"{path}: the picture or its mask in {data / 'masks'} cannot be read")
        frame, person = np.asarray(image, np.uint8), np.asarray(truth > 127)
        mask, gray = segmenter.coarse(frame), _gray(frame)
        for name, preset in CHAINS.items():
            alpha = Refiner(preset)(mask, gray)
            hard = alpha > 127
            error = float(np.abs(alpha / 255 - person).mean())
            rows[name].append((mask_iou(hard, person), boundary_f(hard, person), error))
    names = ("iou", "boundary_f", "mean_error")
    return {n: dict(zip(names, (100 * np.mean(each, axis=0)).tolist(), strict=True)) for n, each in rows.items()}


def measure_cost(segmenter: Segmenter, rounds: int, size: tuple[int, int]) -> dict[str, dict[str, float]]:
    """Per preset: `refine_ms`, and frame → composite over the bare invoke, `ratio`; on two frames in turn."""
    shown = [drawn_frame(*size), np.ascontiguousarray(drawn_frame(*size)[:, ::-1])]
    grays, behind = [_gray(frame) for frame in shown], drawn_background(*size)
    masks = [segmenter.coarse(frame) for frame in shown]
    alpha, out = np.empty(grays[0].shape, np.uint8), np.empty(shown[0].shape, np.uint8)
    tensor = segmenter.preprocess(shown[0])
    refiners = {name: Refiner(preset) for name, preset in PRESETS.items()}

    def whole(refiner: Refiner, k: int) -> None:
        found = refiner(segmenter.coarse(shown[k]), cv2.cvtColor(shown[k], cv2.COLOR_BGR2GRAY), alpha)
        segruntime.composite(shown[k], found, behind, out)

    values: dict[str, dict[str, list[float]]] = {name: {"refine_ms": [], "ratio": []} for name in PRESETS}
    for turn in range(rounds + 3):
        k = turn % 2
        for name, refiner in refiners.items():
            bare = _ms(lambda: segmenter.invoke(tensor))
            refine = _ms(lambda r=refiner, k=k: r(masks[k], grays[k], alpha))  # type: ignore[misc]
            complete = _ms(lambda r=refiner, k=k: whole(r, k))  # type: ignore[misc]
            if turn >= 3:
                values[name]["refine_ms"].append(refine)
                values[name]["ratio"].append(complete / bare)
    return {name: {key: float(np.median(each)) for key, each in row.items()} for name, row in values.items()}


def _ms(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - start)


def _gray(frame: Byte) -> Byte:
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)


def print_result(result: Result) -> None:
    width = max(map(len, CHAINS))
    print(f"{result['model']}, {result['threads']} threads, {result['rounds']} rounds of 1280x720")
    for name, row in result["cost"].items():
        print(f"  {name:{width}}  {row['refine_ms']:6.2f} ms   frame → composite / bare invoke {row['ratio']:5.2f}")
    for clip, rows in result["clips"].items():
        print(f"\n{clip}: flicker, of `fast`, distance from float32 on moving parts")
        for name, row in rows.items():
            share = row["flicker"] / rows["fast"]["flicker"]
            print(f"  {name:{width}}  {row['flicker']:.4f}  {share:5.2f}  {row['moving']:6.2f} / 255")
    if result["stills"]:
        print("\nstills: mean IoU, boundary F, mean absolute error, in percent")
        for name, row in result["stills"].items():
            print(f"  {name:{width}}  {row['iou']:6.2f}  {row['boundary_f']:6.2f}  {row['mean_error']:6.2f}")


@claim(print_result)
@click.option("--clip", "clips", multiple=True, type=click.Path(path_type=Path), help="A video; may be repeated.")
@click.option("--data", type=click.Path(path_type=Path), help="A folder with images/ and masks/.")
@click.option("--threads", type=int, help="Default: as segruntime.load.")
@click.option("--rounds", type=click.IntRange(1), default=60, show_default=True)
def main(clips: tuple[Path, ...], data: Path | None, threads: int | None, rounds: int) -> Result:
    """The presets of segruntime.refine: cost, flicker, moving parts, edges."""
    segmenter = segruntime.load(backend="tflite", threads=threads)
    reference = segruntime.load(BUNDLED["onnx"], threads=threads) if clips else segmenter
    return {
        "model": segmenter.path.name,
        "threads": segmenter.threads,
        "rounds": rounds,
        "cost": measure_cost(segmenter, rounds, (1280, 720)),
        "clips": {clip.name: measure_clip(clip, segmenter, reference) for clip in clips},
        "stills": measure_stills(data, segmenter) if data else {},
    }


if __name__ == "__main__":
    main()
