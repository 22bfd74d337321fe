"""The stand-alone programs of `benchmarks/claims/`, run as a user runs them, and as modules."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.places import ROOT

FOLDER = ROOT / "benchmarks" / "claims"


def run_script(name: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / name), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


def result_of(name: str, *words: object) -> Any:
    """What it prints with `--json`."""
    done = run_script(name, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def script_refused(name: str, *words: object) -> str:
    """What it says on standard error where it ends with 1; no traceback."""
    done = run_script(name, *words)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def load_script(name: str) -> ModuleType:
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))  # where a script that is run looks for `claim`
    spec = importlib.util.spec_from_file_location(Path(name).stem, (FOLDER / name).resolve())
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
