"""The core, built by CMake as a user builds it, and what its tests drive it with."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

NATIVE = Path(__file__).parents[2] / "runtime" / "native"
MODELS = Path(__file__).parents[2] / "runtime" / "segruntime" / "models"


def _load_binding() -> None:
    """`runtime/native/python/segedge.py`, which no package holds; once, for its classes are compared."""
    found = importlib.util.spec_from_file_location("segedge", NATIVE / "python" / "segedge.py")
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
    sys.modules["segedge"] = module
    found.loader.exec_module(module)


if "segedge" not in sys.modules:
    _load_binding()
from segedge import Native, Opening  # noqa: E402


@pytest.fixture(scope="session")
def core() -> Path:
    """The library: the one that SEGEDGE_CORE names, or the preset `native`, built if it must be."""
    if os.environ.get("SEGEDGE_CORE"):
        return Path(os.environ["SEGEDGE_CORE"])
    if sys.platform != "linux":
        pytest.skip("the native core is built on Linux alone so far")
    cmake = shutil.which("cmake")
    if not cmake or not (shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")):
        pytest.skip("the native core needs cmake and a C++ compiler")
    (NATIVE / "build").mkdir(exist_ok=True)
    with (NATIVE / "build" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests of other files may run at the same time
        for words in (["--preset", "native"], ["--build", "--preset", "native"]):
            done = subprocess.run([cmake, *words], cwd=NATIVE, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    return NATIVE / "build" / "native" / "libsegedge.so"


@pytest.fixture(scope="session")
def built(core: Path) -> Path:
    """The folder of the preset `native`."""
    if core.parent != NATIVE / "build" / "native":
        pytest.skip("another build than the preset native")
    return core.parent


def command(name: str) -> str:
    """The path of a program that the test needs."""
    found = shutil.which(name)
    if not found:
        pytest.skip(f"needs {name}")
    return found


@pytest.fixture(scope="session")
def litert() -> Path:
    found = importlib.util.find_spec("ai_edge_litert")
    path = Path(found.origin).parent / "libLiteRt.so" if found and found.origin else Path()
    if not path.is_file():
        pytest.skip("needs libLiteRt.so of ai-edge-litert")
    return path


@pytest.fixture(scope="session")
def opening(core: Path, litert: Path) -> Opening:
    return Opening(core, litert, 2)


@pytest.fixture
def int8(opening: Opening) -> Native:
    return Native(MODELS / "mobile_unet_int8.tflite", opening)


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """`(179, 320, 3) uint8, BGR`: soft shapes and noise, so that every step has something to round."""
    generator = np.random.default_rng(4)
    y, x = np.mgrid[:179, :320]
    person = 200.0 * (((x - 150) / 60) ** 2 + ((y - 100) / 80) ** 2 < 1)
    waves = np.stack([60 + 50 * np.sin(x / (9 + k)) * np.cos(y / 13) for k in range(3)], axis=-1)
    noisy = waves + 0.6 * person[..., None] + generator.normal(0, 6, (179, 320, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)
