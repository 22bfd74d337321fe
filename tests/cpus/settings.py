"""The processors that are tried: this one, with parts of it switched off, and others that qemu plays."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

RUNTIME = Path(__file__).parents[2] / "runtime"
# What OpenCV and numpy could use, and what they do use here; both print more than this on some machines
_PROBE = """
import json, sys
import cv2
try:
    from numpy._core import _multiarray_umath as umath
except ImportError:
    from numpy.core import _multiarray_umath as umath
numpy = [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)]
print("probed", json.dumps({"opencv": cv2.getCPUFeaturesLine(), "numpy": numpy}))
"""
_SWITCHES = ("OPENCV_CPU_DISABLE", "OPENCV_IPP", "NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES", "QEMU_CPU")
_AVX2_AND_MORE = ("AVX2", "AVX512-SKX")
_ALL = ("SSE4.1", "SSE4.2", "AVX", "FP16", *_AVX2_AND_MORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Dispatched instructions that are in use without a switch, by OpenCV's names and by numpy's."""

    opencv: tuple[str, ...]
    numpy: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One processor. `needs`: what OpenCV must find here for the setting to mean anything.

    `without`: OpenCV's names of what is switched off; numpy's own beyond the same level go with it. `ipp`: what Intel's
    library inside OpenCV's wheels may use. `emulated`: qemu's name of a processor, run by `qemu`.
    """

    name: str
    needs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    ipp: str = ""
    qemu: str = ""
    emulated: str = ""

    def environment(self, features: Features) -> dict[str, str]:
        """The variables that make this processor of the present one."""
        own = {name: value for name, value in os.environ.items() if name not in _SWITCHES}
        switched = {
            "OPENCV_CPU_DISABLE": ",".join(name for name in self.without if name in features.opencv),
            "NPY_DISABLE_CPU_FEATURES": " ".join(_beyond(self.without, features.numpy)),
            "OPENCV_IPP": self.ipp,
        }
        return {**own, "PYTHONPATH": str(RUNTIME), **{name: value for name, value in switched.items() if value}}


NATIVE = Setting(name="this processor")
SWITCHED = (
    NATIVE,
    Setting(name="without IPP", ipp="disabled"),
    Setting(name="AVX2", needs=("AVX2",), without=("AVX512-SKX",), ipp="avx2"),
    Setting(name="SSE", without=_ALL, ipp="sse42"),
    Setting(name="SSE without IPP", without=_ALL, ipp="disabled"),
)
EMULATED = (
    Setting(name="Nehalem (SSE4.2)", qemu="qemu-x86_64-static", emulated="Nehalem-v1"),
    Setting(name="EPYC (AVX2)", qemu="qemu-x86_64-static", emulated="EPYC-v3"),
)
PI_5 = Setting(name="Cortex-A76 (Pi 5)", qemu="qemu-aarch64-static", emulated="cortex-a76")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python with one version of OpenCV. `root`: of a foreign system, for an interpreter of another architecture."""

    python: Path
    opencv: str
    numpy: str
    root: Path | None = None
    packages: Path | None = None
    features: Features = field(default_factory=lambda: Features(opencv=(), numpy=()))


def command(setting: Setting, interpreter: Interpreter, words: Sequence[str]) -> list[str]:
    """The program and its arguments for `python WORDS` on that processor."""
    python = [str(interpreter.python), *words]
    if not setting.qemu:
        return python
    root = ["-L", str(interpreter.root)] if interpreter.root else []
    return [setting.qemu, "-cpu", setting.emulated, *root, *python]


def variables(setting: Setting, interpreter: Interpreter) -> dict[str, str]:
    """The environment for that."""
    found = setting.environment(interpreter.features)
    if interpreter.packages:
        found["PYTHONPATH"] = os.pathsep.join([str(RUNTIME), str(interpreter.packages)])
    return found


def why_not_here(setting: Setting, features: Features) -> str:
    """Why this setting cannot be had on this machine; empty where it can."""
    if setting.qemu:
        return "" if shutil.which(setting.qemu) else f"{setting.qemu} not found; apt-get install qemu-user-static"
    if (setting.without or setting.ipp) and platform.machine() != "x86_64":
        return f"a switch of x86-64, this machine is {platform.machine()}"
    missing = [name for name in setting.needs if name not in features.opencv]
    return f"OpenCV finds no {', '.join(missing)} here" if missing else ""


def probe(python: Path, environment: Mapping[str, str]) -> Features:
    """What that interpreter's OpenCV and numpy use here.

    Raises:
        subprocess.CalledProcessError: it has no OpenCV or numpy.
    """
    done = subprocess.run(
        [str(python), "-c", _PROBE], capture_output=True, text=True, check=True, env=dict(environment)
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("probed "))
    found = json.loads(line.removeprefix("probed "))
    return Features(opencv=in_use(found["opencv"]), numpy=tuple(found["numpy"]))


def in_use(line: str) -> tuple[str, ...]:
    """Of `cv2.getCPUFeaturesLine()`: a star is what is chosen at run time, a question mark what is missing or switched off."""
    names = (word.removeprefix("*") for word in line.split() if word.startswith("*"))
    return tuple(name for name in names if not name.endswith("?"))


def _beyond(without: Sequence[str], numpy: Sequence[str]) -> list[str]:
    """numpy's features that go with these of OpenCV's: all of them, or those of AVX-512 (level 4 of x86-64) alone."""
    if not without:
        return []
    if "AVX2" in without:
        return list(numpy)
    return [name for name in numpy if name.startswith("AVX512") or name == "X86_V4"]
