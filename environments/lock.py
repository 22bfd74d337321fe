"""Make the locks again: `make locks`, or `make locks UPGRADE=--upgrade` to take what is newest.

Every environment is resolved for all its interpreters and processors at once, and written with hashes and without a host.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from environment import CONSTRAINTS, FOLDER, LOCKED, ROOT, Environment

NEWEST = "3.13"  # for a distribution whose own limit is not ours
_QUIET = ["--quiet", "--generate-hashes", "--no-annotate", "--no-emit-index-url"]


def compile_command(environment: Environment) -> list[str]:
    """What uv is told; what it need not take from the metadata of others stands in uv/NAME/pyproject.toml."""
    words = ["pip", "compile", *_QUIET, "--universal", "--custom-compile-command", "make locks"]
    words += ["--python-version", environment.oldest, "--output-file", str(environment.lock), str(environment.asked)]
    if environment.extras:
        words += [str(ROOT / "pyproject.toml"), *(word for one in environment.extras for word in ("--extra", one))]
    if (FOLDER / "uv" / environment.name).exists():
        words += ["--directory", str(FOLDER / "uv" / environment.name)]
    if environment.constrained:
        words += ["--constraints", str(CONSTRAINTS)]
    if environment.apart:
        words += ["--no-emit-package", environment.apart]
    return [sys.executable, "-m", "uv", *words]


def append_alone(lock: Path, requirement: str) -> bool:
    """Add the one distribution to the lock, whatever it asks for; → did it work?"""
    words = ["pip", "compile", *_QUIET, "--no-header", "--no-deps", "--python-version", NEWEST, "-"]
    done = subprocess.run(
        [sys.executable, "-m", "uv", *words], input=requirement, stdout=subprocess.PIPE, text=True, check=False
    )
    with lock.open("a", encoding="utf-8") as file:
        file.write(done.stdout)
    return done.returncode == 0


def make_lock(environment: Environment, more: list[str]) -> bool:
    """→ was it made?"""
    done = subprocess.run([*compile_command(environment), *more], check=False, cwd=ROOT)
    return done.returncode == 0 and (not environment.alone or append_alone(environment.lock, environment.alone))


if __name__ == "__main__":
    for one in LOCKED.values():
        if not make_lock(one, sys.argv[1:]):
            sys.exit(f"segedge: {one.lock.name} was not made, see uv's words above; the locks before it are renewed")
