"""What the page's tests are held against, made by segexport and OpenCV into `web/.fixtures`; takes half a minute.

`export/`: the demo network in three files, and their vectors. `letterbox.onnx`: the same network with a contract that asks for
a letterbox. `resize.json`: pictures and what OpenCV's resizes make of them.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segruntime.contract import read_contract, stamp
from segruntime.preprocess import INTERPOLATIONS

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "web/.fixtures"
PICTURES = ROOT.parent / "shared/data/portraits/calibration/images"
SIDES = (1, 2, 3, 5, 8, 17, 31, 64, 75, 128, 144, 176, 240, 256)


def main() -> None:
    shutil.rmtree(TARGET, ignore_errors=True)
    draft = TARGET.with_name(".fixtures.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    pictures = ["--calibration", str(PICTURES)] if PICTURES.is_dir() else []
    segexport(
        "tflite", "examples/portrait_unet.pth", "--precision", "float32,int8", *pictures, "--output", f"{draft}/export"
    )
    write_letterbox(draft / "export/portrait_unet.onnx", draft / "letterbox.onnx")
    segexport("vectors", f"{draft}/export")
    segexport("vectors", f"{draft}/letterbox.onnx")
    (draft / "resize.json").write_text(json.dumps([resize_case(seed) for seed in range(120)]))
    draft.rename(TARGET)


def segexport(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "segexport", *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def write_letterbox(model: Path, target: Path) -> None:
    contract = read_contract(model)
    if contract is None:
        raise SystemExit(f"{model}: holds no contract, expected the one that segexport writes")
    boxed = dataclasses.replace(contract.input, resize="letterbox")
    target.write_bytes(stamp(model.read_bytes(), dataclasses.replace(contract, input=boxed)))


def resize_case(seed: int) -> dict[str, Any]:
    """A random picture, every third one of 0 and 255 only, and OpenCV's bytes for another size."""
    drawn = np.random.default_rng(seed)
    height, width, to_height, to_width = (int(side) for side in drawn.choice(SIDES, 4))
    rule = ("bilinear", "bilinear", "nearest")[seed % 3]
    picture = drawn.integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = 255 * (picture >> 7) if seed % 4 == 0 else picture
    resized = cv2.resize(picture, (to_width, to_height), interpolation=INTERPOLATIONS[rule])
    return {
        "rule": rule,
        "from": [height, width],
        "to": [to_height, to_width],
        "picture": base64.b64encode(picture.tobytes()).decode(),
        "resized": base64.b64encode(resized.tobytes()).decode(),
    }


if __name__ == "__main__":
    main()
