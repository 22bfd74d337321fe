"""What is run in the Debian roots, and how each step says whether it went well."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from child import TIMED_OUT
from inside import RESULTS, Machine, Ran

TESTS = (
    "tests/runtime",
    "tests/video/test_times.py",
    "tests/hostile/test_model_files_hostile.py",
    "tests/hostile/test_contract_hostile.py",
    "tests/hostile/test_golden_hostile.py",
)
# With tests/video (encoders) and tests/parity (all portraits through both files; the masks of some are compared instead) these
# are what `make light` runs and this does not: why, and what.
LEFT_OUT = (
    ("Python threads that change places every 10 µs stand still for ever in the emulator", "backends/test_threads.py"),
    ("whole clips: minutes in the emulator", "refine/test_on_data.py"),
    ("hundreds of calls of the float network: minutes", "test_segmenter.py::test_frames_leave_nothing_behind[onnx]"),
    ("the same", "test_segmenter.py::test_alpha_has_the_size_of_the_frame_whatever_it_is[onnx"),
)
LIMIT_S = 3600.0
MODELS = "import segruntime.segmenter as s; print(*s.BUNDLED.values(), sep='\\n')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`details`: a few words for people. `data`: the same and more for machines."""

    name: str
    processor: str
    passed: bool
    seconds: float
    details: str
    data: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def run_tests(machine: Machine, tests: Sequence[str] = TESTS) -> Step:
    """The runtime's tests, against the wheel that is installed in the root."""
    options = ["-p", "no:cacheprovider", "--quiet", "--tb=short", f"--junitxml={RESULTS}/tests.xml"]
    options += [f"--deselect=tests/runtime/{name}" for _, name in LEFT_OUT]
    ran = machine.run("tests", ["-m", "pytest", *options, *tests], LIMIT_S)
    outcomes, skipped, failed = _read_junit(machine)
    words = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items() if count)
    data = {
        "tests": list(tests),
        "left_out": {name: why for why, name in LEFT_OUT},
        **outcomes,
        "skipped_because": skipped,
        "failed_tests": failed,
    }
    return _step("tests", machine, ran, words or _last_line(ran), data, passed=outcomes["passed"] > 0)


def verify_models(machine: Machine) -> list[Step]:
    """`segexport verify` on every file that the runtime carries; torch is not installed there."""
    listed = machine.run("models", ["-c", MODELS], LIMIT_S)
    if listed.code:
        return [_step("segexport verify", machine, listed, _last_line(listed), {})]
    return [_verify(machine, path) for path in listed.log.read_text("utf-8").splitlines()]


def quick_benchmark(machine: Machine) -> Step:
    """`segbench --quick` in fresh processes: that it runs and its own checks pass. The times mean nothing."""
    ran = machine.run("segbench", ["-m", "segbench", "--quick", "--output", f"{RESULTS}/segbench.json"], LIMIT_S)
    written = machine.results / "segbench.json"
    if ran.code or not written.is_file():
        return _step("segbench --quick", machine, ran, _last_line(ran), {}, passed=False)
    names = [one["name"] for one in json.loads(written.read_text("utf-8"))["configurations"]]
    details = f"{', '.join(names)}: masks checked, then measured"
    return _step("segbench --quick", machine, ran, details, {"configurations": names})


def make_masks(machine: Machine, portraits: int, given: str | None = None) -> Step:
    """masks.py; `given`: the other side's file, as it is called inside."""
    words = ["tests/aarch64/masks.py", f"{RESULTS}/masks.npz", f"--portraits={portraits}"]
    ran = machine.run("masks", words + ([f"--given={given}"] if given else []), LIMIT_S)
    made = ran.log.read_text("utf-8", errors="replace").count("|") if not ran.code else 0
    details = f"{made} pictures through both files" if made else _last_line(ran)
    return _step("masks", machine, ran, details, {"portraits": portraits})


def _verify(machine: Machine, path: str) -> Step:
    name = path.rpartition("/")[2]
    ran = machine.run(f"verify-{name}", ["-m", "segexport", "verify", path], LIMIT_S)
    return _step(f"segexport verify {name}", machine, ran, _last_line(ran), {})


def _step(name: str, machine: Machine, ran: Ran, details: str, data: dict[str, Any], *, passed: bool = True) -> Step:
    return Step(
        name=name,
        processor=machine.processor.name,
        passed=passed and ran.code == 0,
        seconds=round(ran.seconds, 1),
        details=details,
        data={**data, "exit_code": ran.code, "log": ran.log.name},
    )


def _last_line(ran: Ran) -> str:
    if ran.code == TIMED_OUT:
        return f"stopped after {LIMIT_S:.0f} s"
    lines = ran.log.read_text("utf-8", errors="replace").strip().splitlines()
    return lines[-1].strip()[:200] if lines else f"no output, exit code {ran.code}"


def _read_junit(machine: Machine) -> tuple[dict[str, int], dict[str, int], list[str]]:
    """Counts by outcome, reasons of skipped tests with their counts, names of those that failed."""
    path = machine.results / "tests.xml"
    if not path.is_file():
        return {"passed": 0, "failed": 0, "skipped": 0}, {}, []
    cases = list(ET.parse(path).iter("testcase"))  # noqa: S314 - written by our own pytest
    failed = [_name(case) for case in cases if case.find("failure") is not None or case.find("error") is not None]
    reasons = Counter(skip.get("message") or "" for case in cases if (skip := case.find("skipped")) is not None)
    skipped = sum(reasons.values())
    counts = {"passed": len(cases) - len(failed) - skipped, "failed": len(failed), "skipped": skipped}
    return counts, dict(reasons), failed


def _name(case: ET.Element) -> str:
    return f"{case.get('classname')}::{case.get('name')}"
