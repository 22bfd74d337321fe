"""Make one of the Makefile's environments: exactly what its lock holds, or the newest of everything.

python environments/install.py light .venv-light [--newest]

Run by the interpreter that the environment shall have; it needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from environment import ENVIRONMENTS, ROOT, Environment

sys.path.insert(0, str(ROOT / "exporter"))

from segexport.convert.setup.installing import make_venv, pip_install
from segexport.errors import SetupError

_NEWEST = "make newest takes the newest of everything"


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", choices=ENVIRONMENTS)
    parser.add_argument("place", type=Path, help="the folder of the virtual environment; made where it is missing")
    parser.add_argument("--newest", action="store_true", help="what pyproject.toml allows, without the lock")
    given = parser.parse_args(words)
    try:
        install(ENVIRONMENTS[given.name], given.place, given.newest)
    except SetupError as error:
        sys.exit(f"segedge: {error}")


def install(environment: Environment, place: Path, newest: bool = False) -> None:
    """Fill `place` with what `environment` holds. Raises SetupError with pip's reason in one line."""
    if not (place / "bin" / "python").exists():
        make_venv(sys.executable, place)
    for step in _newest(environment) if newest else _locked(environment):
        pip_install(place, step, instead=_NEWEST)


def _locked(environment: Environment) -> list[list[str]]:
    # the lock names everything, so that pip need not resolve; segedge is built by what the lock holds, not by what is newest
    steps = [["--no-deps", "--require-hashes", "-r", str(environment.lock)]]
    if environment.pinned_apart:
        steps.append([environment.pinned_apart])
    if environment.extras:
        steps.append(["--no-deps", "--no-build-isolation", "-e", str(ROOT)])
    return steps


def _newest(environment: Environment) -> list[list[str]]:
    # torch stays: its newest build for Linux brings gigabytes of CUDA
    words = ["--upgrade", "-r", str(environment.asked)]
    if environment.extras:
        words += ["-e", f"{ROOT}[{','.join(environment.extras)}]"]
    return [[*words, environment.pinned_apart] if environment.pinned_apart else words]


if __name__ == "__main__":
    main()
