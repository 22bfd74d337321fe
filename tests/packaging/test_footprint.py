"""footprint.py counts what lies on the disk: worked out by hand on an environment of two small distributions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "claims"))

from footprint import sizes

CLAIMS = Path(__file__).parents[2] / "benchmarks" / "claims"


def install(environment: Path, name: str, files: dict[str, bytes], record: list[str]) -> int:
    """A distribution with these files, of which RECORD lists `record` and its own two; → the size of those two."""
    packages = environment / "lib" / "python3.12" / "site-packages"
    own = packages / f"{name}-1.0.dist-info"
    own.mkdir(parents=True)
    for path, content in files.items():
        (packages / path).parent.mkdir(parents=True, exist_ok=True)
        (packages / path).write_bytes(content)
    (own / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [*record, f"{own.name}/METADATA", f"{own.name}/RECORD"]
    (own / "RECORD").write_text("".join(f"{line},,\n" for line in lines))
    return sum((own / one).stat().st_size for one in ("METADATA", "RECORD"))


def test_each_distribution_is_the_sum_of_the_files_in_its_record(tmp_path: Path) -> None:
    own_a = install(tmp_path, "a", {"a/one.py": bytes(1000), "a/two.so": bytes(234)}, ["a/one.py", "a/two.so"])
    own_b = install(tmp_path, "b", {"b.py": bytes(5)}, ["b.py"])
    assert sizes(tmp_path) == {"a 1.0": 1234 + own_a, "b 1.0": 5 + own_b}


def test_what_is_listed_twice_counts_once_and_what_is_gone_not_at_all(tmp_path: Path) -> None:
    own = install(tmp_path, "a", {"a.py": bytes(100), "unlisted.py": bytes(7)}, ["a.py", "a.py", "gone.py"])
    assert sizes(tmp_path) == {"a 1.0": 100 + own}


def test_programs_beside_the_packages_count(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "a"
    program.parent.mkdir()
    program.write_bytes(bytes(50))
    own = install(tmp_path, "a", {}, ["../../../bin/a"])
    assert sizes(tmp_path) == {"a 1.0": 50 + own}


@pytest.mark.parametrize("words", [["--wheel", "none.whl"], ["--way", "[torch]"]])
def test_wrong_usage_is_refused_before_anything_is_installed(words: list[str]) -> None:
    command = [sys.executable, str(CLAIMS / "footprint.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 2
    assert words[0] in done.stderr


def test_a_wheel_that_pip_cannot_install_is_one_line(tmp_path: Path) -> None:
    wheel = tmp_path / "segedge-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"no zip")
    command = [sys.executable, str(CLAIMS / "footprint.py"), "--wheel", str(wheel), "--way", "[onnx]"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert done.stderr.startswith("footprint: pip failed (ERROR: ")
    assert done.stderr.count("\n") == 1
