"""Export the bundled checkpoint anew and put the three small files where the runtime's package keeps them.

python examples/bundle.py --calibration PICTURES
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from demo import Image, astronaut

import segruntime
from segruntime.model_file.golden import GoldenPicture, with_golden
from segruntime.segmenter import BUNDLED, MODELS, WITHOUT_INT8

CHECKPOINT = Path(__file__).parent / "mobile_unet.pth"
LARGEST_TOGETHER = 3_000_000
GOLDEN = {"portrait": np.s_[:, :], "face": np.s_[20:220, 130:330], "to the waist": np.s_[:, 60:420]}
"""Parts of the astronaut's portrait; of the last one the frame is narrower than the network's, which shows a letterbox."""
LONGEST = 112


def with_portraits(folder: Path, names: Iterable[str]) -> None:
    """Golden pictures of a real person in place of the drawn ones, in whom this network rightly sees nobody."""
    frames = {name: shrunk(np.ascontiguousarray(astronaut()[part])) for name, part in GOLDEN.items()}
    reference = segruntime.load(folder / BUNDLED["onnx"].name)
    for path in (folder / name for name in names):
        segmenter = segruntime.load(path)
        pictures = [
            GoldenPicture(name=name, frame=f, reference=reference.network_mask(f), made=segmenter.network_mask(f))
            for name, f in frames.items()
        ]
        path.write_bytes(with_golden(path.read_bytes(), pictures))


def shrunk(picture: Image) -> Image:
    scale = LONGEST / max(picture.shape[:2])
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calibration", type=Path, required=True, help="a folder of pictures of people")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        words = ["tflite", str(CHECKPOINT), "--calibration", str(args.calibration)]
        words += ["--precision", "float16,int8", "--pictures", "200"]
        subprocess.run([sys.executable, "-m", "segexport", *words, "--output", folder], check=True)
        names = [path.name for path in (*BUNDLED.values(), WITHOUT_INT8)]
        with_portraits(Path(folder), names)
        sizes = {name: (Path(folder) / name).stat().st_size for name in names}
        if sum(sizes.values()) > LARGEST_TOGETHER:
            raise SystemExit(f"{sizes} are more than {LARGEST_TOGETHER} bytes together")
        for name in sizes:
            shutil.copy(Path(folder) / name, MODELS / name)
    print(sizes)


if __name__ == "__main__":
    main()
