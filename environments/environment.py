"""The environments that the Makefile makes, and what each holds.

NAME.in lists what an environment needs beside the extras of pyproject.toml, NAME.lock every distribution with version and
hashes, for every interpreter and processor that is supported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
CONSTRAINTS = ROOT / "constraints.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One virtual environment.

    extras: of pyproject.toml; without any, segedge itself is not installed.
    apart: a distribution that has no hash in the lock, since builds of one version differ (torch: CPU, CUDA); its version
        is that of constraints.txt.
    oldest: the first Python that it is locked for.
    """

    name: str
    extras: tuple[str, ...] = ()
    apart: str | None = None
    oldest: str = "3.10"

    @property
    def asked(self) -> Path:
        return FOLDER / f"{self.name}.in"

    @property
    def lock(self) -> Path:
        return FOLDER / f"{self.name}.lock"

    @property
    def pinned_apart(self) -> str | None:
        """`torch==2.13.0`, as constraints.txt has it."""
        lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
        return next((line for line in lines if self.apart and line.startswith(f"{self.apart}==")), self.apart)


EVERYTHING = ("export", "tflite", "onnx", "bench", "video", "serve", "dev")
_ALL = (
    Environment(name="main", extras=EVERYTHING, apart="torch"),
    Environment(name="light", extras=("tflite", "onnx", "video", "serve")),
    Environment(name="mediapipe"),
    Environment(name="build"),
)
ENVIRONMENTS = {one.name: one for one in _ALL}


def read_lock(text: str) -> list[tuple[str, str, str]]:
    """(name, version, marker or nothing) for each distribution of a lock."""
    return re.findall(r"^([a-z0-9][\w.-]*)==([^\s;]+)(?: ; ([^\\\n]*[^\\\s]))?", text, re.MULTILINE)
