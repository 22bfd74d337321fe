"""One processor with one version of OpenCV: what it makes, and the runtime's exactness tests there."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from compare import Difference, Variants, read
from settings import Interpreter, Setting, command, in_use, variables

CHECKOUT = Path(__file__).parents[2]
# Those of the runtime's tests that hold exact values
TESTS = (
    "tests/runtime/compositing",
    "tests/runtime/refine/test_refiner.py",
    "tests/runtime/refine/test_steps.py",
    "tests/runtime/test_postprocess.py",
    "tests/runtime/test_preprocess.py",
    "tests/runtime/test_resize.py",
    "tests/runtime/test_resize_rule.py",
)
LIMIT_S = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`differences`: to the first row, by output. `failed`: what could not be made, a line each. `why` there is nothing."""

    processor: str
    opencv: str
    numpy: str = ""
    why: str = ""
    tests: str = ""
    failed: tuple[str, ...] = ()
    differences: Mapping[str, Difference] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        found = {name: one.to_json() for name, one in self.differences.items()}
        return {**asdict(self), "failed": list(self.failed), "differences": found}


class Children:
    """Runs them one after the other; the first row that made something is what the others are compared with."""

    def __init__(self, kinds: Sequence[str], folder: Path) -> None:
        """`kinds`: what make.py is asked for. `folder`: for arrays and logs."""
        self.made = {kind: Variants() for kind in kinds}
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def row(self, setting: Setting, interpreter: Interpreter, *, with_tests: bool) -> Row:
        """One processor with one OpenCV."""
        name = f"{setting.name}, OpenCV {interpreter.opencv}"
        failed: list[str] = []
        differences: dict[str, Difference] = {}
        for kind, variants in self.made.items():
            file = self._folder / f"{_as_file(name)}-{kind}.npz"
            error = _run(setting, interpreter, [str(Path(__file__).with_name("make.py")), kind, str(file)])
            if error:
                failed.append(f"{kind}: {error}")
                continue
            arrays, features = read(file)
            if still := set(setting.without) & set(in_use(features)):
                failed.append(f"{kind}: OpenCV did not take the switch, it uses {', '.join(sorted(still))}")
            variants.add(name, arrays)
            differences.update(variants.between(variants.first, name))
            file.unlink()
        tests = run_tests(setting, interpreter) if with_tests else ""
        return Row(
            processor=setting.name,
            opencv=interpreter.opencv,
            numpy=interpreter.numpy,
            tests=tests,
            failed=tuple(failed),
            differences=differences,
        )


def run_tests(setting: Setting, interpreter: Interpreter) -> str:
    """`passed`, or pytest's last line."""
    options = ["-m", "pytest", "--quiet", "-p", "no:cacheprovider", "--no-header", "--tb=line"]
    return _run(setting, interpreter, [*options, *TESTS]) or "passed"


def _run(setting: Setting, interpreter: Interpreter, words: Sequence[str]) -> str:
    """Empty where it went well, else the last line of what it said."""
    try:
        done = subprocess.run(
            command(setting, interpreter, words),
            cwd=CHECKOUT,
            env=variables(setting, interpreter),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"stopped after {LIMIT_S} s"
    if not done.returncode:
        return ""
    lines = [line for line in done.stdout.strip().splitlines() if line.strip()]
    return f"exit code {done.returncode}, {lines[-1].strip()[:160] if lines else 'no output'}"


def _as_file(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter == "." else "-" for letter in name)
