"""Make the locks again: `make locks`, or `make locks UPGRADE=--upgrade` to take what is newest.

Every environment is resolved for all its interpreters and processors at once, and written with hashes and without a host.
"""

from __future__ import annotations

import subprocess
import sys

from environment import CONSTRAINTS, ENVIRONMENTS, FOLDER, ROOT, Environment

# the exporter was tried on Linux, and torch asks for CUDA: uv/pyproject.toml says both to uv
LIMITED = FOLDER / "uv"


def compile_command(environment: Environment) -> list[str]:
    """What uv is told."""
    words = ["pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-annotate", "--no-emit-index-url"]
    words += ["--custom-compile-command", "make locks", "--python-version", environment.oldest]
    words += ["--output-file", str(environment.lock), str(environment.asked)]
    if environment.extras:
        words += [str(ROOT / "pyproject.toml"), *(word for one in environment.extras for word in ("--extra", one))]
    if environment.apart:
        words += [
            "--directory",
            str(LIMITED),
            "--constraints",
            str(CONSTRAINTS),
            "--no-emit-package",
            environment.apart,
        ]
    return [sys.executable, "-m", "uv", *words]


if __name__ == "__main__":
    for one in ENVIRONMENTS.values():
        command = [*compile_command(one), *sys.argv[1:]]
        if subprocess.run(command, check=False, cwd=ROOT).returncode:
            sys.exit(f"segedge: {one.lock.name} was not made, see uv's words above; the locks before it are renewed")
