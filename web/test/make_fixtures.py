"""What the page's tests are checked against, made by segexport and OpenCV into `web/.fixtures`; takes a minute.

`export/`: the demo network in three files, and their vectors. `letterbox.onnx`: the same network with a contract that asks for
a letterbox. `of_segformer/`, `of_fpn/`: what libraries saved (tests/saved_by_libraries.py), exported. `best/`: three sequences
that the strongest refinement was run on. `resize.json`: pictures and what OpenCV's resizes make of them.
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

from segruntime.model_file.contract import read_contract, stamp
from segruntime.refine import Refiner
from segruntime.resize import resized

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "examples"))
from demo import astronaut, crops  # noqa: E402

TARGET = ROOT / "web/.fixtures"
PICTURES = ROOT.parent / "shared/data/portraits/calibration/images"
SIDES = (1, 2, 3, 5, 8, 17, 31, 64, 75, 128, 144, 176, 240, 256)


def main() -> None:
    shutil.rmtree(TARGET, ignore_errors=True)
    draft = TARGET.with_name(".fixtures.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    pictures = PICTURES if PICTURES.is_dir() else crops(astronaut(), draft / "calibration")
    segexport(
        *("tflite", "examples/mobile_unet.pth", "--precision", "float32,int8"),
        *("--calibration", str(pictures), "--output", f"{draft}/export"),
    )
    write_letterbox(draft / "export/mobile_unet.onnx", draft / "letterbox.onnx")
    segexport("vectors", f"{draft}/export")
    segexport("vectors", f"{draft}/letterbox.onnx")
    write_libraries(draft)
    (draft / "resize.json").write_text(json.dumps([resize_case(seed) for seed in range(120)]))
    write_best(draft / "best")
    draft.rename(TARGET)


def write_libraries(draft: Path) -> None:
    subprocess.run([sys.executable, "tests/saved_by_libraries.py", str(draft)], cwd=ROOT, check=True)
    for saved, name in (("segformer", "segformer"), ("fpn.ckpt", "fpn")):
        words = ("--preprocess", "imagenet", "--size", "64", "--precision", "float32", "--output", f"{draft}/of_{name}")
        segexport("tflite", f"{draft}/{saved}", *words)
        segexport("vectors", f"{draft}/of_{name}")


def segexport(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "segexport", *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def write_letterbox(model: Path, target: Path) -> None:
    contract = read_contract(model)
    if contract is None:
        raise SystemExit(f"{model}: holds no contract, expected the one that segexport writes")
    boxed = dataclasses.replace(contract.input, resize="letterbox")
    target.write_bytes(stamp(model.read_bytes(), dataclasses.replace(contract, input=boxed)))


def write_best(folder: Path) -> None:
    """A disc that moves, with a person's soft mask, noise and islands in it: frames larger than the mask, odd and smaller."""
    folder.mkdir()
    index = [[best_case(refiner, *size, step, folder) for step in range(3)] for refiner, size in best_streams()]
    (folder / "index.json").write_text(json.dumps(index))


def best_streams() -> list[tuple[Refiner, tuple[int, int]]]:
    return [(Refiner("best"), size) for size in ((360, 640), (211, 333), (40, 50))]


def best_case(refiner: Refiner, height: int, width: int, step: int, folder: Path) -> dict[str, Any]:
    drawn = np.random.default_rng(step)
    shade = np.linspace(40, 190, width, dtype=np.float32)[None, :, None] + np.zeros((height, 1, 3), np.float32)
    person = disc(height, width, 0.02 * step)[..., None] > 0
    scene = np.where(person, 90 + 0.3 * shade, shade) + drawn.normal(0, 2, shade.shape)
    frame = np.clip(scene, 0, 255).astype(np.uint8)
    coarse = 1 / (1 + np.exp(-(40 * disc(96, 128, 0.02 * step) + drawn.normal(0, 0.3, (96, 128)))))
    coarse[4 + step : 7 + step, 100:104] = 0.7
    coarse = coarse.astype(np.float32)
    best = refiner(coarse, cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))
    arrays = {"frame": frame, "coarse": coarse, "best": best}
    return {"width": width, "height": height} | {
        name: array_file(folder, f"{width}_{step}_{name}", array) for name, array in arrays.items()
    }


def disc(height: int, width: int, shift: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Above 0 inside a circle around the middle, below it outside; in shares of the height."""
    y, x = np.mgrid[0:height, 0:width]
    away = np.hypot((x + 0.5) / width - 0.45 - shift, (y + 0.5) / height - 0.5)
    return np.asarray(0.28 - away)


def array_file(folder: Path, name: str, array: np.ndarray[Any, Any]) -> dict[str, Any]:
    (folder / f"{name}.bin").write_bytes(array.tobytes())
    return {"file": f"{name}.bin", "dtype": array.dtype.name, "shape": list(array.shape)}


def resize_case(seed: int) -> dict[str, Any]:
    """A random picture, every third one of 0 and 255 only, and the runtime's bytes for another size."""
    drawn = np.random.default_rng(seed)
    height, width, to_height, to_width = (int(side) for side in drawn.choice(SIDES, 4))
    rule = ("bilinear", "bilinear", "nearest")[seed % 3]
    picture = drawn.integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = 255 * (picture >> 7) if seed % 4 == 0 else picture
    made = resized(picture, (to_height, to_width), rule)
    return {
        "rule": rule,
        "from": [height, width],
        "to": [to_height, to_width],
        "picture": base64.b64encode(picture.tobytes()).decode(),
        "resized": base64.b64encode(made.tobytes()).decode(),
    }


if __name__ == "__main__":
    main()
