"""What the environment of each converter is like."""

from __future__ import annotations

import hashlib
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConverterEnvironment:
    """The virtual environment of one converter.

    oldest, newest: the Pythons that it is locked for.
    imports: what has to be importable in it.
    shown: the distributions whose versions decide over its files.
    borrows: a module that it takes from the exporter's own environment, and so it is made with the same Python.
    machines: (sys.platform, platform.machine()) that it has files for; nothing: all.
    """

    name: str
    oldest: Version
    newest: Version
    imports: tuple[str, ...]
    shown: tuple[str, ...]
    borrows: str | None = None
    machines: tuple[tuple[str, str], ...] = ()

    @property
    def lock(self) -> Path:
        return Path(__file__).with_name(f"{self.name}.lock")

    def lock_digest(self) -> str:
        """SHA-256 of the lock, in hexadecimal."""
        return hashlib.sha256(self.lock.read_bytes()).hexdigest()

    def fits(self, version: Version) -> bool:
        """Is it locked for that Python? (major, minor, …)"""
        return self.oldest <= version and version[:2] <= self.newest

    @property
    def pythons(self) -> str:
        """`3.10.12 to 3.12`"""
        return " to ".join(".".join(map(str, one)) for one in (self.oldest, self.newest))

    def refusal(self) -> str | None:
        """Why it cannot be on this machine."""
        here = (sys.platform, platform.machine())
        if not self.machines or here in self.machines:
            return None
        return f"has files for {' and '.join(' '.join(one) for one in self.machines)} only, this is {' '.join(here)}"


_ALL = (
    ConverterEnvironment(
        name="direct",
        oldest=(3, 10),
        newest=(3, 14),
        imports=("onnx2tf.onnx2tf",),
        shown=("onnx2tf", "onnx", "numpy"),
    ),
    ConverterEnvironment(
        name="tf",
        oldest=(3, 10, 12),
        newest=(3, 12),
        imports=("tensorflow", "onnx2tf"),
        shown=("onnx2tf", "tensorflow", "onnx", "numpy"),
        machines=(("linux", "x86_64"),),
    ),
    ConverterEnvironment(
        name="litert-torch",
        oldest=(3, 10),
        newest=(3, 14),
        imports=("litert_torch",),
        shown=("litert-torch", "litert-converter", "jax", "numpy"),
        borrows="torch",
        machines=(("linux", "x86_64"), ("darwin", "arm64")),
    ),
)
ENVIRONMENTS = {one.name: one for one in _ALL}
