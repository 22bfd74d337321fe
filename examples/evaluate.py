"""Mean IoU of model files against hand-made masks, through segruntime, at the size of each picture and at 256x256.

    python examples/evaluate.py out/*.onnx out/*.tflite --data ../shared/data/portraits/calibration --measured-half

`--measured-half` takes every second picture only: those that `segexport --calibration` measures with, not the calibrating ones.
Prints a table; `--worst FILE.png` also draws the eight pictures with the lowest IoU of the first file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

import segruntime
from segruntime.agreement import mask_iou

Image = npt.NDArray[np.uint8]
SIZE = (256, 256)


def read_pair(path: Path, data: Path) -> tuple[Image, Image]:
    """The picture `(H, W, 3) uint8, BGR` and its mask `(H, W) uint8, 0 or 255`."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    mask = cv2.imread(str(data / "masks" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
    if image is None or mask is None:
        raise SystemExit(f"{path}: the picture or its mask cannot be read")
    return np.asarray(image, np.uint8), np.asarray(mask, np.uint8)


def scores(model: Path, pairs: list[tuple[Image, Image]]) -> tuple[list[float], list[float]]:
    """IoU of each picture: at its own size, and at 256x256 with picture and mask stretched."""
    segmenter = segruntime.load(model)
    full, small = [], []
    for image, mask in pairs:
        full.append(mask_iou(segmenter.alpha(image) > 0.5, mask > 127))
        frame = np.asarray(cv2.resize(image, SIZE, interpolation=cv2.INTER_LINEAR), np.uint8)
        truth = cv2.resize(mask, SIZE, interpolation=cv2.INTER_LINEAR) > 127
        small.append(mask_iou(segmenter.alpha(frame) > 0.5, np.asarray(truth)))
    return full, small


def draw_worst(model: Path, pairs: list[tuple[Image, Image]], order: list[int], target: Path) -> None:
    """Outlines on the eight worst pictures: the hand-made mask in green, ours in red."""
    segmenter = segruntime.load(model)
    tiles = []
    for index in order[:8]:
        image, mask = pairs[index]
        found = (segmenter.alpha(image) > 0.5).astype(np.uint8)
        shown = image.copy()
        for binary, colour in (((mask > 127).astype(np.uint8), (80, 220, 80)), (found, (60, 60, 240))):
            outline, _ = cv2.findContours(binary, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(shown, outline, -1, colour, 2)
        tiles.append(cv2.resize(shown, (240, 270)))
    cv2.imwrite(str(target), np.vstack([np.hstack(tiles[:4]), np.hstack(tiles[4:8])]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True, help="folder with images/ and masks/")
    parser.add_argument("--measured-half", action="store_true", help="every second picture only")
    parser.add_argument("--worst", type=Path, metavar="FILE.png")
    args = parser.parse_args()
    paths = sorted((args.data / "images").iterdir())[1 if args.measured_half else 0 :: 2 if args.measured_half else 1]
    pairs = [read_pair(path, args.data) for path in paths]
    print(f"{'file':40} {'MB':>6} {'IoU 256x256':>12} {'IoU full size':>14}   {len(pairs)} pictures")
    for number, model in enumerate(args.models):
        full, small = scores(model, pairs)
        size = model.stat().st_size / 1e6
        print(f"{model.name:40} {size:6.2f} {np.mean(small):12.4f} {np.mean(full):14.4f}")
        if args.worst and number == 0:
            order = [int(k) for k in np.argsort(full)]
            draw_worst(model, pairs, order, args.worst)
            print("  lowest: " + ", ".join(f"{paths[k].name} {full[k]:.3f}" for k in order[:8]))


if __name__ == "__main__":
    main()
