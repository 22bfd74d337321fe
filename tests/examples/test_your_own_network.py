"""Every command of docs/your-own-network.md, in the order of the page, on drawn pictures; a training of two steps."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.places import ROOT, SHARED

from segexport.convert.setup.place import is_ready
from segexport.pictures.files import draw_pictures

SELFIE = SHARED / "models" / "selfie_256.tflite"
QUICK = "--steps 2 --batch 2"
COMMAND = re.compile(r"^    (\S.*)$", re.MULTILINE)


def commands(about: str) -> list[str]:
    """Of the section whose title begins so."""
    page = (ROOT / "docs" / "your-own-network.md").read_text("utf-8")
    section = page.partition(f"\n## {about}")[2].partition("\n## ")[0]
    return COMMAND.findall(section)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout's `examples/`, next to it `mine/`, `empty/` and a clip."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for name in ("mine/images", "empty"):
        (tmp_path / name).mkdir(parents=True)
    pictures = draw_pictures(10, size=256)  # the network sees them, unlike those of a training from nothing
    for index, image in enumerate(pictures):
        cv2.imwrite(str(tmp_path / f"mine/images/{index}.jpg"), image)
        cv2.imwrite(str(tmp_path / f"empty/{index}.jpg"), np.full((90, 160, 3), 25 * index, np.uint8))
    clip = cv2.VideoWriter(str(tmp_path / "talk.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (256, 256))
    for image in pictures:
        clip.write(image)
    clip.release()
    return tmp_path


def run(command: str, folder: Path) -> None:
    for typed, meant in (("--steps 300", QUICK), ("*.tflite", "network_float16.tflite")):
        command = command.replace(typed, meant)
    words = [sys.executable if word == "python" else word for word in shlex.split(command)]
    variables = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"


def test_the_page_has_the_commands_that_are_run_here() -> None:
    assert [len(commands(about)) for about in ("Another", "One trained", "A network")] == [2, 5, 0]


@pytest.mark.skipif(not SELFIE.is_file(), reason=f"{SELFIE} is not here")
def test_a_network_of_others_runs_with_its_contract_beside_it(folder: Path) -> None:
    shutil.copyfile(SELFIE, folder / "selfie_segmenter.tflite")
    for command in commands("Another"):
        run(command, folder)
    assert (folder / "out.mp4").stat().st_size > 0


@pytest.mark.skipif(not is_ready("direct"), reason="converter direct is not installed here: segexport setup direct")
def test_one_is_trained_on_exported_and_run(folder: Path) -> None:
    masks, *rest = commands("One trained")
    run(masks, folder)
    assert sorted(path.name for path in (folder / "mine/masks").glob("*.*")) == [
        ".segrun",
        *(f"{k}.png" for k in range(10)),
    ]
    for command in rest:
        run(command, folder)
    assert (folder / "sheets" / "network_float16_mine.png").is_file()
    assert (folder / "mine.mp4").stat().st_size > 0
