"""Exports of the demo network for MediaPipe, made by the exporter's own environment: MediaPipe lives in another one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXPORTER = Path(os.environ.get("SEGEDGE_EXPORTER", ROOT / ".venv" / "bin" / "python"))
PORTRAITS = ROOT.parent / "shared" / "data" / "portraits"
LIMIT_S = 300


@pytest.fixture(scope="session")
def export(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of an export of the demo network in float32 and int8 with `--head HEAD`, each made once."""
    made: dict[str, Path] = {}
    pictures = PORTRAITS / "training" / "images"
    if not EXPORTER.exists():
        pytest.skip(f"{EXPORTER} is not there, which makes the files for MediaPipe: run make mediapipe-test")
    if not pictures.is_dir():
        pytest.skip(f"{pictures} is not there: int8 has nothing to calibrate with")

    def make(head: str) -> Path:
        if head not in made:
            folder = tmp_path_factory.mktemp(head)
            words = ["--precision", "float32,int8", "--pictures", "12", "--head", head]
            words += ["--calibration", str(pictures), "--output", str(folder), "--overwrite"]
            exporter(["-m", "segexport", "tflite", str(ROOT / "examples" / "mobile_unet.pth"), *words])
            made[head] = folder
        return made[head]

    return make


@pytest.fixture(scope="session")
def of_libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The float32 files of what two libraries saved, see tests/saved_by_libraries.py."""
    if not EXPORTER.exists():
        pytest.skip(f"{EXPORTER} is not there, which makes the files for MediaPipe: run make mediapipe-test")
    folder = tmp_path_factory.mktemp("libraries")
    exporter([str(ROOT / "tests" / "saved_by_libraries.py"), str(folder)])
    words = ["--preprocess", "imagenet", "--size", "64", "--precision", "float32"]
    for name in ("segformer", "fpn.ckpt"):
        exporter(["-m", "segexport", "tflite", str(folder / name), *words, "--output", str(folder / f"of_{name}")])
    return {
        "segformer": folder / "of_segformer" / "segformer_float32.tflite",
        "fpn": folder / "of_fpn.ckpt" / "fpn_float32.tflite",
    }


def exporter(words: list[str]) -> None:
    paths = os.pathsep.join(str(ROOT / name) for name in ("exporter", "runtime"))
    done = subprocess.run(
        [str(EXPORTER), *words],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def portraits() -> list[Path]:
    """Ten portraits that nothing was calibrated with."""
    folder = PORTRAITS / "calibration" / "images"
    found = sorted(folder.glob("*"))[:10] if folder.is_dir() else []
    if len(found) < 10:
        pytest.skip(f"{folder} is not there: no portraits to compare masks on")
    return found
