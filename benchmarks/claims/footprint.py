"""What the runtime takes on a machine: disk, time to import, memory; its wheel and its dependencies, freshly installed.

python benchmarks/claims/footprint.py [--repeats N] [--wheel FILE] [--json]

The wheel is built from this checkout unless one is given. For each way of installing it a new environment is made in a
temporary folder, and pip installs from its usual index. Sizes are those of the files that each RECORD lists, as they lie on
the disk, bytecode included. Times and memory are those of cold_start.py, asked of the new environment: fresh processes in turn.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import venv
from importlib.metadata import Distribution, distributions
from pathlib import Path

import click
import numpy as np

from claim import Result, claim
from cold_start import MASK, NEEDED, RUNTIME, measure

ROOT = Path(__file__).parents[2]
HEADLESS = ("numpy", "click", "opencv-python-headless")
# name → the backend, and what pip is told, call by call
WAYS: dict[str, tuple[str, tuple[tuple[str, ...], ...]]] = {
    "[tflite]": ("tflite", (("{wheel}[tflite]",),)),
    "[onnx]": ("onnx", (("{wheel}[onnx]",),)),
    "headless, LiteRT": ("tflite", ((*HEADLESS, "ai-edge-litert"), ("--no-deps", "{wheel}"))),
}


def build(folder: Path) -> Path:
    """The wheel of this checkout, in `folder`."""
    _run([sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], folder)
    return next(folder.glob("segedge-*.whl"))


def footprint(way: str, wheel: Path, folder: Path, repeats: int) -> Result:
    """Install `wheel` that way in a new environment in `folder`, and measure it."""
    backend, calls = WAYS[way]
    place = folder / re.sub(r"\W+", "", way)
    venv.create(place, with_pip=True)
    python = str(place / "bin" / "python")
    # what pip and venv bring themselves is no part of it
    before = set(sizes(place))
    for words in calls:
        pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        _run([*pip, *(word.format(wheel=wheel) for word in words)], folder)
    size_bytes = {name: size for name, size in sizes(place).items() if name not in before}
    started = _measured(python, backend, repeats)
    imports_ms = started["values_ms"]
    extra_ms = [b - a for a, b in zip(imports_ms[NEEDED], imports_ms[RUNTIME], strict=True)]
    return {
        "way": way,
        "backend": backend,
        "size_bytes": size_bytes,
        "total_bytes": sum(size_bytes.values()),
        "import_needed_ms": started["median_ms"][NEEDED],
        "import_runtime_ms": started["median_ms"][RUNTIME],
        "import_extra_ms": float(np.median(extra_ms)),
        "first_mask_ms": started["median_ms"][MASK],
        "peak_memory_mb": max(started["memory_mb"]),
        "values_ms": imports_ms,
        "memory_mb": started["memory_mb"],
    }


def sizes(environment: Path) -> dict[str, int]:
    """`name version` → bytes on the disk, for each distribution in a virtual environment."""
    folders = [str(path) for path in environment.glob("lib/python3*/site-packages")]
    return {f"{one.metadata['Name']} {one.version}": installed_bytes(one) for one in distributions(path=folders)}


def installed_bytes(distribution: Distribution) -> int:
    """Bytes of the files that its RECORD lists and that are there, each counted once, links not followed."""
    paths = {Path(str(distribution.locate_file(file))) for file in distribution.files or []}
    return sum(path.lstat().st_size for path in paths if path.exists())


def _measured(python: str, backend: str, repeats: int) -> Result:
    """As `cold_start.measure`, without this checkout on the path: the installed wheel is what is imported."""
    path = os.environ.pop("PYTHONPATH", None)
    try:
        return measure(repeats, python, backend)
    finally:
        if path is not None:
            os.environ["PYTHONPATH"] = path


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise SystemExit(f"footprint: pip failed ({(lines or ['it says nothing'])[-1]}); check its index, try again")


def print_result(result: Result) -> None:
    for one in result["ways"]:
        print(one["way"])
        print_table(one)


def print_table(result: Result) -> None:
    for name, size in sorted(result["size_bytes"].items(), key=lambda item: -item[1]):
        print(f"  {name:44}{size / 1e6:9.1f} MB")
    print(f"  {'in all':44}{result['total_bytes'] / 1e6:9.1f} MB")
    print(f"  {'import numpy, cv2':44}{result['import_needed_ms']:9.0f} ms")
    print(f"  {'import segruntime':44}{result['import_runtime_ms']:9.0f} ms")
    print(f"  {'  of it, on top of numpy and cv2':44}{result['import_extra_ms']:9.0f} ms")
    print(f"  {'start of the process to the first mask':44}{result['first_mask_ms']:9.0f} ms")
    print(f"  {'peak memory of that process':44}{result['peak_memory_mb']:9.0f} MB")


@claim(print_result)
@click.option("--repeats", type=click.IntRange(1), default=15, show_default=True)
@click.option("--wheel", type=click.Path(path_type=Path, exists=True), help="Instead of building one.")
@click.option("--way", "ways", type=click.Choice(list(WAYS)), multiple=True, help="Default: all. May be repeated.")
def main(repeats: int, wheel: Path | None, ways: tuple[str, ...]) -> Result:
    """Disk, import time and memory of the runtime with its dependencies."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        built = build(folder) if wheel is None else wheel.resolve()
        results = [footprint(way, built, folder, repeats) for way in ways or WAYS]
    return {"python": sys.version.split()[0], "ways": results}


if __name__ == "__main__":
    main()
