"""A lock that cannot be installed is one line: which distribution, and what to do. No request leaves the machine."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.refusals import refusal

sys.path.insert(0, str(Path(__file__).parents[2] / "environments"))

import environment
from environment import ENVIRONMENTS, Environment
from install import install, main
from tests.tiny_wheels import make_wheel, only_from

from segexport.convert.setup.installing import pip_install, reason
from segexport.errors import SetupError


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, the only place where pip looks."""
    for name, value in only_from(tmp_path / "wheels").items():
        monkeypatch.setenv(name, value)
    return tmp_path / "wheels"


def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: str) -> Environment:
    """An environment of that lock and nothing else."""
    monkeypatch.setattr(environment, "FOLDER", tmp_path)
    (tmp_path / "made.lock").write_text(lock)
    return Environment(name="made")


def test_what_the_lock_holds_is_installed(
    place: Path, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = make_wheel(index, "kept", "1.0")
    make_wheel(index, "kept", "2.0")
    install(locked(tmp_path, monkeypatch, f"kept==1.0 \\\n    --hash=sha256:{digest}\n"), place)
    shown = subprocess.run(
        [place / "bin" / "python", "-m", "pip", "show", "kept"], capture_output=True, text=True, check=True
    )
    assert "Version: 1.0\n" in shown.stdout


def test_a_locked_version_that_is_gone_is_one_line_with_its_name_and_the_way_out(
    place: Path, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = make_wheel(index, "gone", "2.0")
    lock = f"gone==1.2.3 ; python_version >= '3.10' \\\n    --hash=sha256:{digest}\n"
    said = refusal(SetupError, install, locked(tmp_path, monkeypatch, lock), place)
    assert said.startswith("the locked gone==1.2.3 is not on the index any more for Python 3.")
    assert said.endswith("; make newest takes the newest of everything")


def test_another_file_than_the_one_that_was_locked_is_one_line(
    place: Path, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(index, "changed", "1.0")
    assert refusal(
        SetupError, install, locked(tmp_path, monkeypatch, f"changed==1.0 \\\n    --hash=sha256:{'0' * 64}\n"), place
    ).startswith("changed==1.0 is another file than the one that was locked, its hash differs;")


def test_the_newest_is_taken_without_the_lock(
    place: Path, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("1.0", "2.0"):
        make_wheel(index, "renewed", version)
    made = locked(tmp_path, monkeypatch, "renewed==1.0\n")
    made.asked.write_text("renewed>=1\n")
    install(made, place, newest=True)
    shown = subprocess.run(
        [place / "bin" / "python", "-m", "pip", "show", "renewed"], capture_output=True, text=True, check=True
    )
    assert "Version: 2.0\n" in shown.stdout


def test_an_index_that_does_not_answer_is_not_taken_for_a_version_that_is_gone(
    place: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    words = ["--no-deps", "--retries", "1", "--index-url", "http://127.0.0.1:9/simple", "anything==1.0"]
    with pytest.raises(SetupError, match=r"anything==1\.0 was not found, for pip's index does not answer"):
        pip_install(place, words, instead="make newest")


def test_another_failure_is_pip_s_own_last_error() -> None:
    said = "WARNING: one\nERROR: first\nERROR: the index is odd\n"
    assert reason(said, "3.11.7 on x86_64", "make newest") == "pip failed: the index is odd"
    assert reason("", "3.11.7 on x86_64", "make newest") == "pip failed: it says nothing"


def test_a_full_disk_is_said_to_be_full() -> None:
    said = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device: '/a/b'\n"
    assert reason(said, "3.11.7 on x86_64", "make newest").startswith("no space is left on the disk, ")


def test_a_failure_ends_the_command_with_its_line(
    place: Path, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = locked(tmp_path, monkeypatch, f"gone==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    monkeypatch.setitem(ENVIRONMENTS, "build", replace(made))
    assert refusal(SystemExit, main, ["build", str(place)]).startswith("segedge: the locked gone==1.0 ")
