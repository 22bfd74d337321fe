"""The environments that the Makefile and `segexport setup` make, and what each holds.

NAME.in lists what an environment needs next to the extras of pyproject.toml, NAME.lock every distribution with version and
hashes, for every interpreter and processor that is supported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
CONSTRAINTS = ROOT / "constraints.txt"
CONVERTERS = ROOT / "exporter" / "segexport" / "convert" / "setup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One virtual environment.

    extras: of pyproject.toml; without any, segedge itself is not installed.
    apart: a distribution that has no hash in the lock, since builds of one version differ (torch: CPU, CUDA); its version
        is that of constraints.txt.
    alone: a distribution that is locked without what its own metadata asks for, Python's version included.
    constrained: does it keep to constraints.txt?
    oldest: the first Python that it is locked for.
    folder: where NAME.in and NAME.lock lie.
    """

    name: str
    extras: tuple[str, ...] = ()
    apart: str | None = None
    alone: str | None = None
    constrained: bool = False
    oldest: str = "3.10"
    folder: Path | None = None

    @property
    def asked(self) -> Path:
        return (self.folder or FOLDER) / f"{self.name}.in"

    @property
    def lock(self) -> Path:
        return (self.folder or FOLDER) / f"{self.name}.lock"

    @property
    def pinned_apart(self) -> str | None:
        """`torch==2.13.0`, as constraints.txt has it."""
        lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
        return next((line for line in lines if self.apart and line.startswith(f"{self.apart}==")), self.apart)


EVERYTHING = ("export", "hf", "smp", "tflite", "onnx", "bench", "video", "pictures", "serve", "dev")
_ALL = (
    Environment(name="main", extras=EVERYTHING, apart="torch", constrained=True),
    Environment(name="light", extras=("tflite", "onnx", "video", "pictures", "serve")),
    Environment(name="mediapipe"),
    Environment(name="ray", extras=("tflite", "video", "serve", "ray")),
    Environment(name="build"),
)
_CONVERTERS = (
    Environment(name="direct", alone="onnx2tf==2.6.9", constrained=True, folder=CONVERTERS),
    Environment(name="tf", oldest="3.10.12", folder=CONVERTERS),
    Environment(name="litert-torch", constrained=True, folder=CONVERTERS),
)
ENVIRONMENTS = {one.name: one for one in _ALL}
LOCKED = {one.name: one for one in (*_ALL, *_CONVERTERS)}


def read_lock(text: str) -> list[tuple[str, str, str]]:
    """(name, version, marker or nothing) for each distribution of a lock."""
    return re.findall(r"^([a-z0-9][\w.-]*)==([^\s;]+)(?: ; ([^\\\n]*[^\\\s]))?", text, re.MULTILINE)
