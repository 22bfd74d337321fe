"""One small environment for each version of OpenCV: this machine's Python, and Debian's for aarch64. Made once, by pip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from settings import Interpreter, probe

sys.path.append(str(Path(__file__).parents[1] / "aarch64"))

from debian_root import DebianRoot, make_root
from processors import PI_5
from refusal import CannotRunError
from wheels import GLIBC

# The oldest that pyproject.toml allows, the one of constraints.txt, the newest 4 and the newest 5; 4.11's wheels and older want
# numpy 1 (their metadata do not say so)
VERSIONS = {"4.8.1.78": "numpy<2", "4.11.0.86": "numpy<2", "4.14.0.94": "numpy>=2", "5.0.0.93": "numpy>=2"}
REFERENCE = "4.11.0.86"
LITERT = "ai-edge-litert==2.3.0"
_OTHERS = ("click", "pytest", LITERT)


def installed() -> Interpreter:
    """The interpreter that runs this, with what is installed there."""
    import cv2
    import numpy

    features = probe(Path(sys.executable), os.environ)
    return Interpreter(python=Path(sys.executable), opencv=cv2.__version__, numpy=numpy.__version__, features=features)


def make_environment(folder: Path, version: str, say: Callable[[str], None]) -> Interpreter:
    """A virtual environment with that OpenCV, in `folder`; the one that is there if it was finished.

    Raises:
        CannotRunError: pip failed.
    """
    place = folder / f"opencv-{version}"
    python = place / "bin" / "python"
    wanted = [f"opencv-python-headless=={version}", VERSIONS[version], *_OTHERS]
    if not _is_finished(place, wanted):
        say(f"OpenCV {version}")
        shutil.rmtree(place, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(place)], f"the environment for OpenCV {version}")
        _run([str(python), *_PIP, *wanted], f"OpenCV {version}")
        _finish(place, wanted)
    numpy = _version(next(place.glob("lib/python3*/site-packages")), "numpy")
    return Interpreter(python=python, opencv=version, numpy=numpy, features=probe(python, os.environ))


def make_aarch64(folder: Path, version: str, root: DebianRoot, say: Callable[[str], None]) -> Interpreter:
    """The same for an aarch64 Debian's own Python, its packages in `folder`.

    Raises:
        CannotRunError: pip failed.
    """
    place = folder / f"opencv-{version}-aarch64"
    wanted = [f"opencv-python-headless=={version}", VERSIONS[version], *_OTHERS]
    if not _is_finished(place, wanted):
        say(f"OpenCV {version} for aarch64")
        shutil.rmtree(place, ignore_errors=True)
        platforms = [*(f"manylinux_2_{minor}_aarch64" for minor in GLIBC), "manylinux2014_aarch64"]
        foreign = ["--only-binary=:all:", "--implementation=cp", "--python-version", root.python_version]
        options = [*foreign, *(f"--platform={name}" for name in platforms), "--no-compile", "--target", str(place)]
        _run([sys.executable, *_PIP, *options, *wanted], f"OpenCV {version} for aarch64")
        _finish(place, wanted)
    python = root.path / f"usr/bin/python{root.python_version}"
    return Interpreter(python=python, opencv=version, numpy=_version(place, "numpy"), root=root.path, packages=place)


def aarch64_root(folder: Path, say: Callable[[str], None]) -> DebianRoot:
    """The arm64 Debian of `make test-aarch64`, made if it is not there.

    Raises:
        CannotRunError: it cannot be made here.
    """
    is_there = (folder / "bookworm-arm64" / "complete").is_file()
    if not is_there and (os.geteuid() != 0 or not shutil.which("debootstrap")):
        raise CannotRunError("no arm64 Debian in .aarch64; apt-get install debootstrap, sudo make test-cpus")
    root = make_root(folder, "arm64", "bookworm", say)
    # qemu shows programs this file in the place of the machine's own, which tells LiteRT of an x86 processor
    (root.path / "proc" / "cpuinfo").write_text(PI_5.cpuinfo(1), "ascii")
    return root


_PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--root-user-action=ignore")


def _is_finished(place: Path, wanted: Sequence[str]) -> bool:
    stamp = place / "complete"
    return stamp.is_file() and stamp.read_text("utf-8") == "\n".join(wanted)


def _finish(place: Path, wanted: Sequence[str]) -> None:
    (place / "complete").write_text("\n".join(wanted), "utf-8")


def _run(command: Sequence[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise CannotRunError(f"{what}: could not be installed ({last}); check pip's index, try again")


def _version(packages: Path, name: str) -> str:
    (found,) = packages.glob(f"{name}-*.dist-info")
    return found.name.removeprefix(f"{name}-").removesuffix(".dist-info")
