"""Networks and pictures on disk, made once and kept: `.made/NAME.onnx`, `.pt2` and what was saved, `.made/pictures/`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segbench.process.interrupt import Interrupt
from segexport.pictures.files import draw_pictures
from zoo.errors import ZooError
from zoo.networks import NETWORKS

FOLDER = Path(__file__).resolve().parent / ".made"
SIZE = 256
PICTURES = 32
_SEED = 11
_LIGHTNESS = 120.0
_SEEN = 16  # of them by the networks' batch norms
_SCRIPT = Path(__file__).resolve().with_name("write.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """`facts`: parameters, packages, person, largest_logit, see write.py."""

    onnx: Path
    pt2: Path
    saved: Path
    facts: Mapping[str, Any]


def make_pictures(folder: Path = FOLDER) -> Path:
    """The folder of drawn pictures that every network is calibrated and compared with."""
    pictures = folder / "pictures"
    if len(list(pictures.glob("*.png"))) != PICTURES or not _array(folder).is_file():
        pictures.mkdir(parents=True, exist_ok=True)
        # equally light: the lightest pixels of all are "person", and no picture is to have none or nothing else
        drawn = [_as_light(picture) for picture in draw_pictures(PICTURES, size=SIZE, seed=_SEED)]
        for k, picture in enumerate(drawn):
            cv2.imwrite(str(pictures / f"{k:02}.png"), picture)
        np.save(_array(folder), np.stack([picture[:, :, ::-1] for picture in drawn[:_SEEN]]))
    return pictures


def make_network(name: str, interrupt: Interrupt, folder: Path = FOLDER) -> Made:
    """The network of that name, in a process of its own; `make_pictures` came before.

    Raises:
        ZooError: the library refuses, or Ctrl-C came.
    """
    known = folder / f"{name}.json"  # written last: without it the network counts as half made
    saved = folder / f"{name}{NETWORKS[name].suffix}"
    if not (known.is_file() and saved.exists()):
        known.write_text(json.dumps(_run(name, interrupt, folder)), "utf-8")
    return Made(
        onnx=folder / f"{name}.onnx",
        pt2=folder / f"{name}.pt2",
        saved=saved,
        facts=json.loads(known.read_text(encoding="utf-8")),
    )


def _run(name: str, interrupt: Interrupt, folder: Path) -> Mapping[str, Any]:
    job = {"name": name, "pictures": str(_array(folder)), "folder": str(folder)}
    said, words, code = run_child([sys.executable, str(_SCRIPT), json.dumps(job)], interrupt)
    if code or not said.strip():
        raise ZooError(f"{name}: cannot be made ({last_line(words) or f'code {code}'})")
    facts: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
    return facts


def run_child(command: list[str], interrupt: Interrupt) -> tuple[str, str, int]:
    """Standard output, standard error and exit code of `command`; Ctrl-C is passed on to it.

    Raises:
        ZooError: it does not start.
    """
    try:
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True
        )
    except OSError as error:
        raise ZooError(f"{Path(command[0]).name}: does not start ({os.strerror(error.errno or 0)})") from error
    interrupt.child = child
    said, words = child.communicate()
    return said, words, child.returncode


def last_line(words: str) -> str:
    """What a program said at last, in one line; "" where it said nothing."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _as_light(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.asarray(np.clip(picture * (_LIGHTNESS / picture.mean()), 0, 255), np.uint8)


def _array(folder: Path) -> Path:
    return folder / "pictures.npy"
