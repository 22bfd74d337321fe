"""The runtime's tests on every CPython 3.10 to 3.14 that is found, the exporter's demo on those that are named.

python environments/pythons.py .venv-pythons "3.10 3.11 3.12 3.13" -m pytest tests/runtime …

The second word says on which the demo is tried. Each interpreter gets environments of its own in the folder; what its tests
and demo print lies there too. Ends with 1 where one is red, or none was found.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from environment import ROOT

sys.path.insert(0, str(ROOT / "exporter"))

from segexport.convert.setup.interpreters import MINORS, find_interpreters


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One interpreter: `passed`, `FAILED` or `not tried`."""

    python: str
    tests: str
    demo: str
    seconds: float


def main(folder: Path, exporters: list[str], test_words: list[str]) -> int:
    """Try them all, print the table; → the exit code."""
    found = find_interpreters(os.environ)
    rows = [check(f"3.{minor}", python, folder, exporters, test_words) for minor, python in found.items()]
    print("\n" + table(rows))
    missing = [f"3.{minor}" for minor in MINORS if minor not in found]
    print(f"\nnot found on PATH, in pyenv's or uv's folder: {', '.join(missing) or 'none is missing'}")
    return int(not rows or any("FAILED" in (row.tests, row.demo) for row in rows))


def check(version: str, python: Path, folder: Path, exporters: list[str], test_words: list[str]) -> Row:
    """One interpreter's tests, and its demo where `exporters` names it."""
    print(f"Python {version}: {python}", flush=True)
    started = time.monotonic()
    tests = attempt(python, "light", folder / version, test_words)
    exporter = folder / f"{version}-exporter"
    setup_words = ["-m", "segexport", "setup", "direct"]
    demo_words = ["examples/demo.py", "--output", str(exporter / "demo")]
    demo = attempt(python, "main", exporter, setup_words, demo_words) if version in exporters else "not tried"
    return Row(python=version, tests=tests, demo=demo, seconds=time.monotonic() - started)


def attempt(python: Path, name: str, place: Path, *steps: list[str]) -> str:
    """Install the environment and run it with the words of each step; `passed` or `FAILED`, with the log's place printed."""
    place.mkdir(parents=True, exist_ok=True)
    log = place.with_suffix(f"{place.suffix}.log")
    installing = [str(python), str(ROOT / "environments" / "install.py"), name, str(place)]
    outcome = "passed"
    with log.open("wb") as file:
        for command in (installing, *([str(place / "bin" / "python"), *words] for words in steps)):
            if subprocess.run(command, cwd=ROOT, check=False, stdout=file, stderr=subprocess.STDOUT).returncode:
                outcome = "FAILED"
                break
    print(f"  {name}: {outcome}, {log}", flush=True)
    return outcome


def table(rows: list[Row]) -> str:
    """Python × runtime's tests × exporter's demo × seconds."""
    head = f"{'Python':<8} {'runtime tests':<15} {'exporter demo':<15} seconds, installation included"
    return "\n".join([head, *(f"{row.python:<8} {row.tests:<15} {row.demo:<15} {row.seconds:.0f}" for row in rows)])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute(), sys.argv[2].split(), sys.argv[3:]))
