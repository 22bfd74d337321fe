"""The main job on the demo checkpoint, as `make demo` runs it: export, table, pictures.

    python examples/demo.py --output demo [--calibration FOLDER_OF_PICTURES]

A second run finds the export in place, compares it again (`segexport verify`) and draws the pictures anew. Without a folder of
pictures, int8 is calibrated with crops of the one portrait that scikit-image ships, which is enough to see it work.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from skimage import data

import segruntime

Image = npt.NDArray[np.uint8]
CHECKPOINT = Path(__file__).parent / "mobile_unet.pth"
HEIGHT = 360


def astronaut() -> Image:
    """NASA's portrait of Eileen Collins, public domain: `(512, 512, 3) uint8, BGR`."""
    return np.ascontiguousarray(data.astronaut()[..., ::-1])


def crops(picture: Image, folder: Path, count: int = 64) -> Path:
    """Flipped, cropped and exposed differently, written as PNG: a stand-in for a folder of photographs."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        side = int(rng.uniform(0.6, 1.0) * min(picture.shape[:2]))
        top, left = (int(rng.integers(0, n - side + 1)) for n in picture.shape[:2])
        crop = picture[top : top + side, left : left + side, :]
        crop = crop[:, ::-1] if rng.random() < 0.5 else crop
        exposed = np.clip(crop.astype(np.float32) * rng.uniform(0.5, 1.4) + rng.uniform(-20, 20), 0, 255)
        cv2.imwrite(str(folder / f"{index:03d}.png"), exposed.astype(np.uint8))
    return folder


def segexport(*words: str) -> None:
    """The command, as a user types it; its table and its messages go to the terminal."""
    code = subprocess.run([sys.executable, "-m", "segexport", *words], check=False).returncode
    if code:
        raise SystemExit(code)


def export(output: Path, calibration: Path | None) -> Path:
    """Make the files, or compare the ones that are there."""
    folder = output / "export"
    if (folder / "report.json").is_file():
        segexport("verify", str(folder))
        return folder
    calibration = calibration or crops(astronaut(), output / "calibration")
    words = ["--calibration", str(calibration), "--output", str(folder), "--overwrite"]
    segexport("tflite", str(CHECKPOINT), *words)
    return folder


def backdrop(height: int, width: int) -> Image:
    """A warm evening sky: `(height, width, 3) uint8, BGR`."""
    top, bottom = np.array([120.0, 60, 40]), np.array([90.0, 150, 250])
    rows = np.linspace(0, 1, height)[:, None, None]
    return np.broadcast_to(top + (bottom - top) * rows, (height, width, 3)).astype(np.uint8)


def labelled(image: Image, text: str) -> Image:
    strip = np.full((34, image.shape[1], 3), 255, np.uint8)
    cv2.putText(strip, text, (8, 23), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (40, 40, 40), 1, cv2.LINE_AA)
    return np.vstack([strip, image])


def row_of(path: Path, frame: Image) -> Image:
    """Mask and composite of one file, side by side."""
    alpha = segruntime.load(path).alpha(frame)
    mask = cv2.cvtColor((alpha * 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    result = segruntime.composite(frame, alpha, backdrop(*frame.shape[:2]))
    return np.hstack([labelled(np.asarray(mask, np.uint8), f"{path.name}: mask"), labelled(result, "composite")])


def draw(folder: Path, output: Path) -> list[Path]:
    """One picture a file, and one with all of them."""
    source = astronaut()
    frame = np.asarray(cv2.resize(source, (HEIGHT, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
    written, rows = [], []
    for path in sorted([*folder.glob("*.onnx"), *folder.glob("*.tflite")]):
        row = row_of(path, frame)
        rows.append(np.hstack([labelled(frame, "frame"), row]))
        target = output / f"{path.stem}_{path.suffix[1:]}.png"
        cv2.imwrite(str(target), rows[-1])
        written.append(target)
    overview = output / "overview.png"
    cv2.imwrite(str(overview), np.vstack(rows))
    return [*written, overview]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("demo"))
    parser.add_argument("--calibration", type=Path, help="a folder of pictures of people")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    folder = export(args.output, args.calibration)
    print("pictures:")
    for path in draw(folder, args.output):
        print(f"  {path}")


if __name__ == "__main__":
    main()
