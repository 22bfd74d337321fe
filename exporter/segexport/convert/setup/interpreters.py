"""Which CPythons this machine has: on PATH, in pyenv's folder, in uv's."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

MINORS = range(10, 15)
# a build without the global lock is another interpreter, for which few wheels exist
WHICH = (
    "import sys, sysconfig; assert sys.implementation.name == 'cpython' and not sysconfig.get_config_var('Py_GIL_DISABLED'); "
    "print('%d.%d.%d' % sys.version_info[:3])"
)


def find_interpreters(environ: Mapping[str, str]) -> dict[int, Path]:
    """Minor version → the first interpreter that says it is that CPython: PATH before pyenv before uv."""
    found: dict[int, Path] = {}
    for minor in MINORS:
        right = (path for path in _candidates(minor, environ) if version_of(path).startswith(f"3.{minor}."))
        if path := next(right, None):
            found[minor] = path
    return found


def version_of(python: Path) -> str:
    """`3.12.1`, or nothing where it does not run (pyenv's shims for what is not chosen) or is no CPython."""
    try:
        done = subprocess.run([python, "-I", "-c", WHICH], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _candidates(minor: int, environ: Mapping[str, str]) -> Iterator[Path]:
    for place in environ.get("PATH", "").split(os.pathsep):
        yield from _existing(Path(place or ".") / f"python3.{minor}")
    home = Path(environ.get("HOME", "/"))
    pyenv = Path(environ.get("PYENV_ROOT", home / ".pyenv")) / "versions"
    data = Path(environ.get("XDG_DATA_HOME", home / ".local" / "share"))
    uv = Path(environ.get("UV_PYTHON_INSTALL_DIR", data / "uv" / "python"))
    for folder, pattern in ((pyenv, f"3.{minor}.*"), (uv, f"cpython-3.{minor}.*")):
        for version in sorted(folder.glob(pattern), key=_numbers, reverse=True):
            yield from _existing(version / "bin" / f"python3.{minor}")


def _existing(path: Path) -> list[Path]:
    return [path] if path.is_file() else []


def _numbers(folder: Path) -> list[int]:
    return [int(one) for one in re.findall(r"\d+", folder.name)[:3]]
